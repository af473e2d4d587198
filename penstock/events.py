"""
What happens in a running program, as values.

Whoever decides something says so once, here; logs, metrics and the demo only listen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from penstock.state import Finding, Publication, Reload

__all__ = [
    "Event",
    "ProxyPublished",
    "ReloadFinished",
    "ResourceChanges",
    "SourceLost",
    "SourceRecovered",
    "StreamClosed",
    "StreamOpened",
    "TranslationFailed",
    "UpdateAccepted",
    "UpdateRejected",
    "UpdateRequested",
    "UpdateSent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLost:
    """The resources cannot be read; what was served stays."""

    source: str
    reason: str
    served: bool
    """Whether anything was served before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecovered:
    """The resources can be read again."""

    source: str
    seconds: float
    """How long they could not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationFailed:
    """A bug of ours; what was served stays."""

    error: Exception
    proxy: str
    """The only proxy that is concerned; empty if it is all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChanges:
    """What became of the resources of one type, by name."""

    type_url: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPublished:
    """A proxy is served something else from now on."""

    publication: Publication
    changes: tuple[ResourceChanges, ...]
    """The types in which anything changed, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadFinished:
    """The resources were read, and dealt with."""

    reload: Reload
    new: tuple[Finding, ...]
    """Findings that were not there before."""
    gone: tuple[Finding, ...]
    """Findings that are no longer there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened:
    """An Envoy is connected and has said who it is."""

    stream: int
    node: str
    proxy: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamClosed:
    """An Envoy is gone, or was asked to go."""

    stream: int
    node: str
    proxy: str
    protocol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRequested:
    """An Envoy asked or answered something."""

    stream: int
    type_url: str
    kind: str
    """One of `first`, `ack`, `nack`, `stale` and `subscribe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSent:
    """An Envoy was sent a response."""

    stream: int
    node: str
    proxy: str
    type_url: str
    version: str
    resources: int
    size: int
    """Bytes on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAccepted:
    """An Envoy applied a response (ACK)."""

    stream: int
    node: str
    proxy: str
    type_url: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRejected:
    """An Envoy refused a response (NACK)."""

    stream: int
    node: str
    proxy: str
    type_url: str
    version: str
    names: tuple[str, ...]
    """The resources at fault, as far as that is known."""
    text: str
    """Envoy's words."""


Event: TypeAlias = (
    SourceLost
    | SourceRecovered
    | TranslationFailed
    | ProxyPublished
    | ReloadFinished
    | StreamOpened
    | StreamClosed
    | UpdateRequested
    | UpdateSent
    | UpdateAccepted
    | UpdateRejected
)

"""
What happens in a running program, as values.

Whoever decides something says so once, here; logs, metrics and the demo only listen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from penstock.state import Finding, Publication, Reload, Saving
    from translator.ir import Source
    from translator.policy import Refusal
    from translator.report import Diagnostic
    from xds.exchange import RequestKind
    from xds.identity import Denial
    from xds.observer import StreamInfo
    from xds.snapshot import Snapshot

__all__ = [
    "CertificatesBroken",
    "CertificatesReloaded",
    "Event",
    "GrpcPublished",
    "ProxyConverged",
    "ProxyHeld",
    "ProxyPublished",
    "ProxyReleased",
    "ReloadFinished",
    "RequestsSlowed",
    "ResourceChanges",
    "SourceLost",
    "SourceRecovered",
    "StateDamaged",
    "StateLoaded",
    "StateSaved",
    "StateUnwritable",
    "StreamClosed",
    "StreamDenied",
    "StreamOpened",
    "StreamRefused",
    "TranslationFailed",
    "UpdateAccepted",
    "UpdateBrought",
    "UpdateRejected",
    "UpdateRequested",
    "UpdateSent",
    "UpdateTraced",
    "WriteStalled",
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
class StateLoaded:
    """What an earlier process served is served again."""

    directory: str
    versions: Mapping[str, str]
    """By proxy; empty if nothing was saved."""
    seconds: float
    """How long it took to load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDamaged:
    """Some of what an earlier process saved cannot be used."""

    directory: str
    problems: tuple[str, ...]
    """A sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSaved:
    """What is about to be served is safe on disk."""

    saving: Saving


@dataclass(frozen=True, slots=True, kw_only=True)
class StateUnwritable:
    """What is served will not survive a restart."""

    saving: Saving
    repeated: bool
    """Whether it was told already."""


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
class GrpcPublished:
    """The gRPC clients of a proxy are served something else from now on."""

    proxy: str
    snapshot: Snapshot
    seconds: float
    """How long it took to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConverged:
    """All Envoys of a proxy have accepted what was published."""

    publication: Publication
    seconds: float
    """Since the change behind it was noticed."""
    envoys: int
    """How many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeld:
    """A proxy keeps its last good routes from now on, because of somebody's mistakes."""

    proxy: str
    because: tuple[Diagnostic, ...]
    """The mistakes."""
    waiting: tuple[Source, ...]
    """The tables whose changes wait for them to be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReleased:
    """A proxy is served what is written again."""

    proxy: str
    seconds: float
    """For how long it was held."""


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

    stream: StreamInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamClosed:
    """An Envoy is gone, or was asked to go."""

    stream: StreamInfo
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRefused:
    """Somebody wanted to be served and was not."""

    peer: str
    reason: str
    code: str
    """The gRPC status that it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsSlowed:
    """An Envoy asks faster than it may; told once for a stream."""

    stream: StreamInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStalled:
    """An Envoy has not read a response in time, and its connection is ended for it."""

    stream: StreamInfo
    type_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDenied:
    """An Envoy asked for a proxy that its certificate does not entitle it to."""

    stream: StreamInfo
    denial: Denial


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatesReloaded:
    """The server's TLS files were replaced or repaired, and are in use."""

    not_after: datetime
    """When the server's certificate expires."""
    changed: bool
    """Whether they differ from what was in use; if not, a broken replacement was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatesBroken:
    """The server's TLS files were replaced by what cannot be used; the last good ones are."""

    reason: str
    not_after: datetime
    """When the certificate in use expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRequested:
    """An Envoy asked or answered something."""

    stream: StreamInfo
    type_url: str
    kind: RequestKind


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSent:
    """An Envoy was sent a response."""

    stream: StreamInfo
    type_url: str
    size: int
    """Bytes on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAccepted:
    """An Envoy applied a response (ACK)."""

    stream: StreamInfo
    type_url: str
    versions: Mapping[str, str]
    """What it accepted, by name."""
    seconds: float
    """Since it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateBrought:
    """An Envoy came with what it has accepted on an earlier stream, perhaps of another server."""

    stream: StreamInfo
    type_url: str
    versions: Mapping[str, str]
    """What that was, by name, as far as it tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRejected:
    """An Envoy refused a response (NACK)."""

    stream: StreamInfo
    type_url: str
    versions: Mapping[str, str]
    """What is at fault, by name; empty while that is being found out."""
    text: str
    """Envoy's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTraced:
    """It is known who is at fault for what Envoy refuses."""

    proxy: str
    type_url: str
    name: str
    """What is refused."""
    text: str
    """Envoy's words."""
    refusals: tuple[Refusal, ...]
    """Who is at fault; nobody that wrote a resource if it is empty."""
    questions: int
    """How much was tried out to find it."""
    seconds: float
    """How long that took."""


Event: TypeAlias = (
    SourceLost
    | SourceRecovered
    | StateLoaded
    | StateDamaged
    | StateSaved
    | StateUnwritable
    | TranslationFailed
    | ProxyPublished
    | GrpcPublished
    | ProxyConverged
    | ProxyHeld
    | ProxyReleased
    | ReloadFinished
    | StreamOpened
    | StreamClosed
    | StreamRefused
    | StreamDenied
    | CertificatesReloaded
    | CertificatesBroken
    | RequestsSlowed
    | WriteStalled
    | UpdateRequested
    | UpdateSent
    | UpdateAccepted
    | UpdateBrought
    | UpdateRejected
    | UpdateTraced
)

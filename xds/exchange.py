"""What goes into a stream's state machine and comes out of it, in both protocols."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xds.delivery import Rejection
    from xds.snapshot import Resource


class ProtocolError(Exception):
    """A request that breaks the protocol: the stream cannot go on."""


class RequestKind(StrEnum):
    """How a request was understood."""

    FIRST = "first"
    """The client's first of the type on this stream."""
    ACK = "ack"
    NACK = "nack"
    STALE = "stale"
    """About a response that newer ones have superseded, or that the client had no use for."""
    SUBSCRIBE = "subscribe"
    """Nothing but names, or nothing new at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a request told."""

    kind: RequestKind
    type_url: str
    acked: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The versions that the client has accepted, by name."""
    brought: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The versions that it has accepted on an earlier stream, by name, as far as it tells."""
    rejected: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The versions at fault for a NACK, by name; empty while that is being found out."""
    text: str = ""
    """The client's words on a NACK, cleaned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A message to a client, except for what is the same in all of a server's responses."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()
    """Names that do not exist; incremental protocol only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeState:
    """Where a client stands with one type."""

    type_url: str
    wildcard: bool
    """Whether it wants everything."""
    subscribed: int
    """How many resources it was sent if it wants everything, else how many it has named."""
    sent_version: str
    """The version of the last response; empty before the first."""
    acked_version: str
    """The version of the last response that it accepted."""
    pending: bool
    """Whether a response waits for its verdict, or an update for its turn."""
    rejection: Rejection | None
    """Its last NACK, until it accepts something newer."""

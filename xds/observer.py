"""The seam for metrics, logs and verdicts: what happens on the streams, as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xds.discovery import Node
    from xds.exchange import RequestKind, TypeState
    from xds.identity import Denial, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream of one client; what does not change as long as it lives."""

    id: int
    """Unique within this server's life."""
    node: Node
    """The client, as it introduced itself."""
    proxy: str
    """Whose snapshot it is served."""
    protocol: Literal["sotw", "delta"]
    """State of the world, or incremental."""
    peer: str
    """The client's address, as gRPC writes it."""
    connected_at: float
    """When the stream began, in seconds since 1970."""
    identity: Identity | None = None
    """The client by its certificate; None if it showed none."""
    type_url: str = ""
    """The only type that it carries; empty if it carries all (ADS)."""

    @property
    def client(self) -> tuple[str, str]:
        """
        Return whose stream it is, to count clients.

        With ADS a client has one stream. Without it, it has several, on one connection.
        """
        return (self.node.id, self.peer) if self.type_url else ("", str(self.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """Where one client stands."""

    stream: StreamInfo
    served: bool
    """Whether its proxy has a snapshot; if not, the client waits in silence."""
    writing_since: float | None
    """Since when it has been sent a response that it does not read, in seconds since 1970."""
    types: tuple[TypeState, ...]
    """Type by type, in the order of updates; times are in seconds since 1970."""


class Observer:
    """
    Is told what happens on the streams.

    The methods are called in the event loop, must be quick and must not raise. By default they
    do nothing, so an observer overrides what it is interested in.
    """

    def stream_opened(self, stream: StreamInfo) -> None:
        """Note that a client has introduced itself."""

    def stream_closed(self, stream: StreamInfo, reason: str) -> None:
        """Note that a stream has ended, and why."""

    def stream_refused(self, peer: str, reason: str, *, code: str) -> None:
        """Note that a stream was ended before it was served, with which gRPC status."""

    def stream_denied(self, stream: StreamInfo, denial: Denial) -> None:
        """Note that a client asked for a proxy that it may not have; it was served nothing."""

    def request_received(self, stream: StreamInfo, type_url: str, kind: RequestKind) -> None:
        """Note a request."""

    def response_sent(self, stream: StreamInfo, type_url: str, size: int) -> None:
        """Note a response of so many bytes, about to be written."""

    def write_stalled(self, stream: StreamInfo, type_url: str) -> None:
        """Note that a client does not read the response it is being sent, and is to go for it."""

    def requests_slowed(self, stream: StreamInfo) -> None:
        """Note, once, that a client asks faster than it may, and is read more slowly."""

    def acked(self, stream: StreamInfo, type_url: str, versions: Mapping[str, str]) -> None:
        """Note the versions of resources, by name, that a client has accepted."""

    def brought(self, stream: StreamInfo, type_url: str, versions: Mapping[str, str]) -> None:
        """Note the versions, by name, that a client has accepted on an earlier stream."""

    def rejected(
        self, stream: StreamInfo, type_url: str, versions: Mapping[str, str], text: str
    ) -> None:
        """
        Note a NACK.

        Args:
            stream: Who refused.
            type_url: What.
            versions: The versions at fault, by name; empty if the response will be divided to
                find them out, in which case more will be heard.
            text: The client's words, cleaned of what varies.
        """

"""What happens on the streams, turned into events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.events import (
    RequestsSlowed,
    StreamClosed,
    StreamDenied,
    StreamOpened,
    StreamRefused,
    UpdateAccepted,
    UpdateBrought,
    UpdateRejected,
    UpdateRequested,
    UpdateSent,
    WriteStalled,
)
from xds.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.feed import Feed
    from xds.exchange import RequestKind
    from xds.identity import Denial
    from xds.observer import StreamInfo

__all__ = ["StreamObserver"]


class StreamObserver(Observer):
    """The ADS server's observer: passes everything on to the feed."""

    def __init__(self, feed: Feed, monotonic: Callable[[], float]) -> None:
        self._feed = feed
        self._monotonic = monotonic
        self._sent: dict[int, dict[str, float]] = {}
        """When each stream was sent the last response of each type."""

    def stream_opened(self, stream: StreamInfo) -> None:
        """Pass it on."""
        self._sent[stream.id] = {}
        self._feed.publish(StreamOpened(stream=stream))

    def stream_closed(self, stream: StreamInfo, reason: str) -> None:
        """Pass it on."""
        self._sent.pop(stream.id, None)
        self._feed.publish(StreamClosed(stream=stream, reason=reason))

    def stream_refused(self, peer: str, reason: str, *, code: str) -> None:
        """Pass it on."""
        self._feed.publish(StreamRefused(peer=peer, reason=reason, code=code))

    def requests_slowed(self, stream: StreamInfo) -> None:
        """Pass it on."""
        self._feed.publish(RequestsSlowed(stream=stream))

    def write_stalled(self, stream: StreamInfo, type_url: str) -> None:
        """Pass it on."""
        self._feed.publish(WriteStalled(stream=stream, type_url=type_url))

    def stream_denied(self, stream: StreamInfo, denial: Denial) -> None:
        """Pass it on."""
        self._feed.publish(StreamDenied(stream=stream, denial=denial))

    def request_received(self, stream: StreamInfo, type_url: str, kind: RequestKind) -> None:
        """Pass it on."""
        self._feed.publish(UpdateRequested(stream=stream, type_url=type_url, kind=kind))

    def response_sent(self, stream: StreamInfo, type_url: str, size: int) -> None:
        """Pass it on, and remember when it was."""
        self._sent[stream.id][type_url] = self._monotonic()
        self._feed.publish(UpdateSent(stream=stream, type_url=type_url, size=size))

    def acked(self, stream: StreamInfo, type_url: str, versions: Mapping[str, str]) -> None:
        """Pass it on, with the time that it took."""
        now = self._monotonic()
        sent = self._sent[stream.id].get(type_url, now)
        self._feed.publish(
            UpdateAccepted(stream=stream, type_url=type_url, versions=versions, seconds=now - sent)
        )

    def brought(self, stream: StreamInfo, type_url: str, versions: Mapping[str, str]) -> None:
        """Pass it on."""
        self._feed.publish(UpdateBrought(stream=stream, type_url=type_url, versions=versions))

    def rejected(
        self, stream: StreamInfo, type_url: str, versions: Mapping[str, str], text: str
    ) -> None:
        """Pass it on."""
        self._feed.publish(
            UpdateRejected(stream=stream, type_url=type_url, versions=versions, text=text)
        )

"""Where each connected Envoy stands, and since when."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from penstock.events import StreamClosed, StreamOpened, UpdateAccepted, UpdateRejected, UpdateSent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from penstock.events import Event
    from xds.exchange import TypeState

__all__ = ["Connections", "Standing", "standing"]


class Standing(StrEnum):
    """What an Envoy made of the resources of one type."""

    SYNCED = "SYNCED"
    """It has accepted everything that it is to have."""
    STALE = "STALE"
    """It has been or will be sent something that it has not accepted yet."""
    REJECTED = "REJECTED"
    """It refused what it was sent last, and goes on with what it had."""


def standing(state: TypeState) -> Standing:
    """Tell where an Envoy stands with one type."""
    if state.rejection is not None:
        return Standing.REJECTED
    if state.pending or state.sent_version != state.acked_version:
        return Standing.STALE
    return Standing.SYNCED


class Connections:
    """Remembers since when each Envoy stands where it stands; `take` is a listener."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._since: dict[int, dict[str, tuple[Standing, datetime]]] = {}

    def take(self, event: Event) -> None:
        """Follow an event."""
        match event:
            case StreamOpened(stream=stream):
                self._since[stream.id] = {}
            case StreamClosed(stream=stream):
                self._since.pop(stream.id, None)
            case UpdateSent():
                self._became(event, Standing.STALE)
            case UpdateAccepted():
                self._became(event, Standing.SYNCED)
            case UpdateRejected():
                self._became(event, Standing.REJECTED)
            case _:
                pass

    def since(self, stream: int, type_url: str) -> datetime | None:
        """Tell when a stream's standing with a type last changed."""
        found = self._since.get(stream, {}).get(type_url)
        return found[1] if found else None

    def _became(self, event: UpdateSent | UpdateAccepted | UpdateRejected, now: Standing) -> None:
        types = self._since.get(event.stream.id)
        if types is None:
            return
        before, _ = types.get(event.type_url, (None, None))
        # A refused update stays refused while the next one is on its way.
        if before is not now and not (now is Standing.STALE and before is Standing.REJECTED):
            types[event.type_url] = now, self._now()

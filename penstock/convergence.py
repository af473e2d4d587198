"""How long a change takes to reach the last Envoy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.events import (
    ProxyConverged,
    ProxyPublished,
    StreamClosed,
    StreamOpened,
    UpdateAccepted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.events import Event
    from penstock.feed import Feed
    from penstock.state import Publication

__all__ = ["Convergence"]


@dataclass(slots=True)
class _Race:
    """A publication on its way."""

    publication: Publication
    envoys: int
    """How many there were at the start, and still are."""
    missing: dict[int, set[tuple[str, str]]]
    """What each stream has not accepted yet, as type and name."""


class Convergence:
    """
    Tells when all Envoys of a proxy have accepted what was published.

    Only those count that were connected when it was published, and still are. The next
    publication ends a race without a result; so does, with it, an update that is refused. Mere
    removals have no race, for nobody can tell from its answers that an Envoy has noticed them.
    """

    def __init__(self, feed: Feed, monotonic: Callable[[], float]) -> None:
        self._feed = feed
        self._monotonic = monotonic
        self._streams: dict[int, str] = {}
        self._races: dict[str, _Race] = {}

    def take(self, event: Event) -> None:
        """Follow an event; a listener of the feed."""
        match event:
            case StreamOpened(stream=stream):
                self._streams[stream.id] = stream.proxy
            case StreamClosed(stream=stream):
                self._streams.pop(stream.id, None)
                self._drop_out(stream.id, stream.proxy)
            case ProxyPublished():
                self._start(event)
            case UpdateAccepted():
                self._advance(event)
            case _:
                pass

    def _start(self, event: ProxyPublished) -> None:
        proxy = event.publication.proxy.name
        self._races.pop(proxy, None)
        streams = [key for key, of in self._streams.items() if of == proxy]
        news = {
            (change.type_url, name)
            for change in event.changes
            for name in (*change.added, *change.changed)
        }
        if streams and news:
            self._races[proxy] = _Race(
                event.publication, len(streams), {key: set(news) for key in streams}
            )

    def _drop_out(self, stream: int, proxy: str) -> None:
        race = self._races.get(proxy)
        if race is not None and race.missing.pop(stream, None) is not None:
            race.envoys -= 1
            self._finish(race)

    def _advance(self, event: UpdateAccepted) -> None:
        race = self._races.get(event.stream.proxy)
        missing = race.missing.get(event.stream.id) if race else None
        if race is None or missing is None:
            return
        wanted = race.publication.snapshot.resources(event.type_url)
        for name, version in event.versions.items():
            if name in wanted and wanted[name].version == version:
                missing.discard((event.type_url, name))
        if not missing:
            del race.missing[event.stream.id]
            self._finish(race)

    def _finish(self, race: _Race) -> None:
        if race.missing:
            return
        del self._races[race.publication.proxy.name]
        if race.envoys:
            seconds = self._monotonic() - race.publication.noticed
            self._feed.publish(
                ProxyConverged(publication=race.publication, seconds=seconds, envoys=race.envoys)
            )

"""How long a change takes to reach the last Envoy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.events import (
    ProxyConverged,
    ProxyPublished,
    StreamClosed,
    StreamOpened,
    UpdateAccepted,
)
from xds.types import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.events import Event
    from penstock.feed import Feed
    from penstock.state import Publication
    from xds.observer import StreamInfo

__all__ = ["Convergence"]


@dataclass(slots=True)
class _Race:
    """A publication on its way."""

    publication: Publication
    envoys: dict[int, tuple[str, str]]
    """Whose the streams are that were there at the start, and still are."""
    missing: dict[int, set[tuple[str, str]]]
    """What each stream has not accepted yet, as type and name."""


@dataclass(slots=True)
class _Connected:
    """A stream."""

    stream: StreamInfo
    accepted: set[str] = field(default_factory=set)
    """The names that it has accepted, if it carries a single type."""

    def awaited(self, news: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """
        Return what of the news is to be accepted on this stream.

        Without ADS each stream has a type of its own, and perhaps a single name. Which it is,
        what it has accepted before tells.
        """
        only = self.stream.type_url
        if not only:
            return set(news)
        return {
            (type_url, name)
            for type_url, name in news
            if type_url == only and (only in COLLECTIONS or name in self.accepted)
        }


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
        self._streams: dict[int, _Connected] = {}
        self._races: dict[str, _Race] = {}

    def take(self, event: Event) -> None:
        """Follow an event; a listener of the feed."""
        match event:
            case StreamOpened(stream=stream):
                self._streams[stream.id] = _Connected(stream)
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
        news = {
            (change.type_url, name)
            for change in event.changes
            for name in (*change.added, *change.changed)
        }
        missing = {
            key: awaited
            for key, connected in self._streams.items()
            if connected.stream.proxy == proxy and (awaited := connected.awaited(news))
        }
        if missing:
            envoys = {key: self._streams[key].stream.client for key in missing}
            self._races[proxy] = _Race(event.publication, envoys, missing)

    def _drop_out(self, stream: int, proxy: str) -> None:
        race = self._races.get(proxy)
        if race is not None and race.missing.pop(stream, None) is not None:
            del race.envoys[stream]
            self._finish(race)

    def _advance(self, event: UpdateAccepted) -> None:
        connected = self._streams.get(event.stream.id)
        if connected is not None and event.stream.type_url:
            connected.accepted.update(event.versions)
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
                ProxyConverged(
                    publication=race.publication,
                    seconds=seconds,
                    envoys=len(set(race.envoys.values())),
                )
            )

"""
What Envoys accept and refuse, and what follows from it for what they are served.

What an Envoy refuses is never sent to it again, nor to any other once the refusal concerns all of
them (`xds.verdicts`): what was accepted before takes its place at once, also for an Envoy that is
only now connecting. Meanwhile `Detective` finds out which route or resource is at fault, and the
translator treats that one as invalid.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from penstock.events import (
    StreamClosed,
    StreamOpened,
    UpdateAccepted,
    UpdateBrought,
    UpdateRejected,
)
from penstock.hearing import Hearing
from penstock.judgement import Judgement
from penstock.proofs import Proofs, content_of, holds
from xds.amend import amend
from xds.rejection import reason
from xds.snapshot import Snapshot
from xds.verdicts import Content, Verdicts, Voice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from penstock.events import Event
    from penstock.state import Publication
    from translator import ir
    from translator.policy import Memory, Refusal
    from xds.cache import SnapshotCache
    from xds.observer import StreamInfo
    from xds.snapshot import Resource

__all__ = ["Judge", "agent"]

_NOTHING: Final = Snapshot.of(())
_FORGET: Final = 4
"""How many times as many verdicts as there are resources are kept before old ones are dropped."""
_MOST: Final = 1000
"""How many refusals are remembered, the newest; each was a mistake of somebody."""


class Judge:
    """
    Decides what each Envoy is served of what is published; everything in the event loop.

    `take` is a listener of the feed. `set` and `mark_synced` make it the place where the controller
    puts what is to be served.
    """

    def __init__(self, cache: SnapshotCache, now: Callable[[], datetime]) -> None:
        """
        Begin without a past.

        Args:
            cache: Where streams find what they are to send.
            now: Tells the time.
        """
        self._cache = cache
        self._now = now
        self.verdicts = Verdicts()
        """What was said to what."""
        self.streams: dict[int, StreamInfo] = {}
        """The Envoys that are connected."""
        self.proofs: dict[str, Proofs] = {}
        """By proxy, what was accepted entirely."""
        self.proxies: dict[str, ir.Proxy] = {}
        """By name, what the newest snapshots were encoded from, as far as that is known."""
        self._snapshots: dict[str, Snapshot] = {}
        self._own: dict[tuple[str, str], Snapshot] = {}
        self._former: dict[tuple[str, Content], Snapshot] = {}
        self._refusals: dict[Refusal, Content] = {}
        self.refusing: dict[Content, set[int]] = {}
        """On which streams something was refused; for as long as it is refused by all."""
        self._hearing = Hearing()
        self.decided = asyncio.Event()
        """Set when the refusals are others than before."""
        self.proved = asyncio.Event()
        """Set when there is something new to keep."""
        self.refused = asyncio.Event()
        """Set when that is a refusal, which must not be forgotten."""
        self.news = asyncio.Event()
        """Set when there may be something to find out, or a way to do so."""

    # What is to be served.

    def mark_synced(self) -> None:
        """Begin to serve."""
        self._cache.mark_synced()

    def remember(self, publication: Publication, memory: Memory) -> None:
        """Take note of what is about to be served, and of what the translator knows."""
        name = publication.proxy.name
        if publication.loaded or self.proxies.get(name) is publication.proxy:
            return
        self.proxies[name] = publication.proxy
        self.news.set()
        if name in memory.proven:
            self._history(name).recall(memory.proven[name])
        if self._history(name).serve(name, publication.snapshot, memory):
            self.proved.set()

    def set(self, proxy: str, snapshot: Snapshot) -> None:
        """Serve a snapshot, as far as it is not refused."""
        self._snapshots[proxy] = snapshot
        self._refresh(proxy)
        self._forget()

    def wanted(self, proxy: str) -> Snapshot:
        """Return what was published for a proxy, refused or not."""
        return self._snapshots.get(proxy, _NOTHING)

    def is_odd(self, stream: StreamInfo, base: Snapshot) -> bool:
        """Tell whether an Envoy refuses anything in what others have accepted."""
        refused = self.verdicts.refusers().get(stream.node.id, ())
        return any(holds(base, content) for content in refused)

    def open_cases(self) -> Iterator[tuple[str, Content]]:
        """Yield what is refused by all and was found out nothing about yet, with its proxy."""
        known = set(self._refusals.values())
        for content in self.verdicts.refused_by_all_contents:
            for proxy in self.proxies:
                if content not in known and holds(self.wanted(proxy), content):
                    yield proxy, content

    def convict(self, content: Content, refusals: Mapping[Refusal, None]) -> None:
        """Have the translator treat something as invalid, because of a content."""
        for refusal in refusals:
            self._refusals[refusal] = content
        for oldest in list(self._refusals)[:-_MOST]:
            del self._refusals[oldest]
        self.decided.set()
        self.proved.set()

    def retry(self) -> None:
        """Forget every refusal: an operator says that all may be tried once more."""
        self.verdicts.forgive()
        self._hearing.forget()
        self._refusals.clear()
        self._own.clear()
        self._former.clear()
        for proxy in self._snapshots:
            self._refresh(proxy)
        self.decided.set()

    def judgement(self) -> Judgement:
        """Return what is known, as a value."""
        proofs = {name: each.newest for name, each in self.proofs.items() if each.newest}
        return Judgement(
            refusals=MappingProxyType(dict(self._refusals)),
            proofs=MappingProxyType(proofs),
            bases=MappingProxyType({name: proof.snapshot for name, proof in proofs.items()}),
            own=MappingProxyType(dict(self._own)),
            former=MappingProxyType(dict(self._former)),
            verdicts=self.verdicts.all(),
        )

    def restore(self, judgement: Judgement) -> None:
        """Take up what an earlier process knew."""
        for content, verdict in judgement.verdicts.items():
            self.verdicts.restore(content, verdict)
        self._refusals.update(judgement.refusals)
        self._own.update(judgement.own)
        self._former.update(judgement.former)
        for name, base in judgement.bases.items():
            self._history(name).restore(base)

    # What Envoys say.

    def take(self, event: Event) -> None:
        """Follow an event."""
        match event:
            case StreamOpened(stream=stream):
                self.streams[stream.id] = stream
                self.news.set()
            case StreamClosed(stream=stream):
                self.streams.pop(stream.id, None)
                self._cache.try_out(stream.proxy, stream.id, None)
                self.news.set()
                # Where nobody disputes anything, it does not matter who is left.
                if self.verdicts.any_disputed and self.verdicts.left(self._connected(stream.proxy)):
                    self._refresh_all()
            case UpdateAccepted() | UpdateBrought():
                self._accepted(event)
            case UpdateRejected():
                self._rejected(event)
            case _:
                pass

    def _accepted(self, event: UpdateAccepted | UpdateBrought) -> None:
        voice, now = _voice(event.stream), self._now().timestamp()
        news = self._hearing.news(event.type_url, voice, event.versions)
        contents = self._contents(event.stream, event.type_url, news)
        contested: set[Content] = set()
        if self.verdicts.any_disputed:
            contested.update(filter(self.verdicts.disputed, contents))
        changed = self.verdicts.accept_all(contents, voice, now)
        for proofs in self.proofs.values():
            if changed and proofs.accept(changed):
                self.proved.set()
        if not contested.isdisjoint(changed):
            self._refresh_all()

    def _rejected(self, event: UpdateRejected) -> None:
        stream = event.stream
        voice, now = _voice(stream), self._now().timestamp()
        others = self._connected(stream.proxy)
        contents = self._contents(stream, event.type_url, event.versions)
        for content in contents:
            text = reason(event.text, content.name, event.versions)
            self.verdicts.refuse(content, voice, text, now, others)
            self.refusing.setdefault(content, set()).add(stream.id)
        if contents:
            self._hearing.forget()
            self._refresh_all()
            self.refused.set()
            self.proved.set()

    def _contents(
        self, stream: StreamInfo, type_url: str, versions: Mapping[str, str]
    ) -> list[Content]:
        """Find the contents of what a stream was sent, without what was tried out or is old."""
        if not versions:
            return []
        candidates = [snapshot.resources(type_url) for snapshot in self._candidates(stream)]
        newest = candidates[0]
        contents: list[Content] = []
        for name, version in versions.items():
            resource = newest.get(name)
            if resource is None or resource.version != version:
                others = (each[name] for each in candidates if name in each)
                resource = next((each for each in others if each.version == version), None)
            if resource is not None:
                contents.append(content_of(resource))
        return contents

    def _candidates(self, stream: StreamInfo) -> Iterator[Snapshot]:
        served = self._cache.get(stream.proxy, node=stream.node.id)
        if served is not None:
            yield served
        yield self.wanted(stream.proxy)
        yield from self._history(stream.proxy).snapshots()

    # What follows.

    def _refresh_all(self) -> None:
        for proxy in self._snapshots:
            self._refresh(proxy)

    def _refresh(self, proxy: str) -> None:
        """Put into the cache what the Envoys of a proxy are to be served."""
        snapshot = self._snapshots[proxy]
        former = {
            content: self._base_for_all(proxy, content)
            for content in self.verdicts.refused_by_all_contents
            if holds(snapshot, content)
        }
        for key in [key for key in self._former if key[0] == proxy and key[1] not in former]:
            del self._former[key]
            self.refusing.pop(key[1], None)
        served = snapshot
        if former:
            served = amend(snapshot, _lookup(former), former)
            self.news.set()
        own: dict[str, Snapshot] = {}
        refusers = self.verdicts.refusers()
        for node, contents in refusers.items():
            if any(holds(served, content) for content in contents):
                bases = {**former, **dict.fromkeys(contents, self._base(proxy, node, contents))}
                own[node] = amend(served, _lookup(bases), bases)
        for pair in [pair for pair in self._own if pair[1] not in refusers]:
            del self._own[pair]
        self._cache.set(proxy, served, own)
        self._acquit()

    def _base_for_all(self, proxy: str, content: Content) -> Snapshot:
        """
        Return what was accepted before something that all refuse.

        It is held on to for as long as that is published: endpoints, which change all the time,
        would soon be the only past that anybody remembers.
        """
        base = self._former.get((proxy, content))
        if base is None:
            proof = self._history(proxy).newest_without(frozenset({content}))
            base = self._former[proxy, content] = proof.snapshot if proof is not None else _NOTHING
        return base

    def _base(self, proxy: str, node: str, contents: frozenset[Content]) -> Snapshot:
        """Return what an Envoy accepted that refuses what others accept."""
        base = self._own.get((proxy, node))
        if base is None or any(holds(base, content) for content in contents):
            proof = self._history(proxy).newest_without(contents)
            base = proof.snapshot if proof is not None else _NOTHING
            self._own[proxy, node] = base
        return base

    def _acquit(self) -> None:
        """Drop what was found out about a content that is accepted after all."""
        for refusal, content in list(self._refusals.items()):
            if not self.verdicts.refused_by_all(content):
                del self._refusals[refusal]
                self.decided.set()

    def _forget(self) -> None:
        """Drop verdicts on what nobody is served any more, from time to time."""
        resources = sum(
            len(snapshot.resources(type_url))
            for snapshot in self._snapshots.values()
            for type_url in snapshot.types()
        )
        if len(self.verdicts) > _FORGET * resources + 1000:
            # Snapshots share most of what they have, as the very same objects.
            distinct = {
                id(resource): resource
                for proofs in self.proofs.values()
                for snapshot in (*self._snapshots.values(), *proofs.snapshots())
                for type_url in snapshot.types()
                for resource in snapshot.resources(type_url).values()
            }
            contents = frozenset(map(content_of, distinct.values()))
            self.verdicts.retain(contents, refused=_MOST)
            self._hearing.forget()

    def _history(self, proxy: str) -> Proofs:
        if proxy not in self.proofs:
            self.proofs[proxy] = Proofs(self.verdicts)
        return self.proofs[proxy]

    def _connected(self, proxy: str) -> Mapping[str, str]:
        return {
            stream.node.id: agent(stream)
            for stream in self.streams.values()
            if stream.proxy == proxy
        }


def agent(stream: StreamInfo) -> str:
    """Name the kind and version of an Envoy."""
    return f"{stream.node.user_agent} {stream.node.version}".strip() or "an unnamed client"


def _voice(stream: StreamInfo) -> Voice:
    return Voice(node=stream.node.id, agent=agent(stream))


def _lookup(bases: Mapping[Content, Snapshot]) -> Callable[[Resource], Snapshot | None]:
    def base_of(resource: Resource) -> Snapshot | None:
        return bases.get(content_of(resource))

    return base_of

"""
Who is at fault for what Envoy refuses.

Envoy names clusters and listeners that it refuses, but no routes: "missing ]: [" is all that it
says of a whole route configuration. So what changed since the last one that it accepted is tried
out, half by half, in a virtual host that no request reaches (`translator.emit.trial`), on one
Envoy.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from penstock.events import (
    ProxyPublished,
    StreamClosed,
    TranslationFailed,
    UpdateAccepted,
    UpdateRejected,
    UpdateTraced,
)
from penstock.judge import agent
from penstock.search import Search
from translator.emit import trial
from translator.policy import suspect, suspects
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.events import Event
    from penstock.feed import Feed
    from penstock.judge import Judge
    from translator import ir
    from translator.policy import Suspect
    from xds.cache import SnapshotCache
    from xds.observer import StreamInfo
    from xds.snapshot import Resource
    from xds.verdicts import Content

__all__ = ["Detective"]

_PATIENCE: Final = 10.0
"""Seconds that an Envoy may take to say something to what is tried out."""


class _Interrupted(Exception):  # noqa: N818 - it is no error
    """The case is closed by something else, or has to wait for an Envoy."""


class Detective:
    """
    Investigates the open cases of a judge, one at a time.

    `take` is a listener of the feed, `run` is to be a task.
    """

    def __init__(self, judge: Judge, cache: SnapshotCache, feed: Feed) -> None:
        self._judge = judge
        self._cache = cache
        self._feed = feed
        self._asked: tuple[StreamInfo, Resource] | None = None
        """Who is being asked about what."""
        self._answer: asyncio.Future[tuple[bool, str]] | None = None
        self._heard_from = ""
        """The kind and version of the Envoy that answered last; empty if none was asked."""
        self._case: tuple[str, Content] | None = None
        """What is being investigated."""
        self._hopeless: set[tuple[str, Content]] = set()
        """Open cases in which nothing that a user wrote is at fault."""

    async def run(self) -> None:
        """Investigate for ever."""
        while True:
            await self._judge.news.wait()
            self._judge.news.clear()
            cases = tuple(self._judge.open_cases())
            self._hopeless.intersection_update(cases)
            for case in cases:
                if case in self._hopeless:
                    continue
                try:
                    await self._investigate(*case)
                except Exception as error:  # noqa: BLE001 (our bug is no reason to stop serving)
                    self._hopeless.add(case)
                    self._feed.publish(TranslationFailed(error=error, proxy=case[0]))

    def take(self, event: Event) -> None:
        """Listen for the answers to what is asked."""
        if self._answer is None or self._answer.done() or self._asked is None:
            return
        stream, resource = self._asked
        match event:
            case UpdateAccepted() | UpdateRejected() if (
                event.stream.id == stream.id
                and event.type_url == ROUTE_CONFIGURATION
                and event.versions.get(resource.name) == resource.version
            ):
                text = event.text if isinstance(event, UpdateRejected) else None
                self._answer.set_result((text is not None, text or ""))
            case StreamClosed(stream=closed) if closed.id == stream.id:
                self._answer.set_exception(_Interrupted())
            case ProxyPublished() if self._case not in tuple(self._judge.open_cases()):
                self._answer.set_exception(_Interrupted())
            case _:
                pass

    async def _investigate(self, proxy: str, content: Content) -> None:
        """Find out who is at fault for one content, and have it treated as invalid."""
        verdict = self._judge.verdicts.get(content)
        served = self._judge.proxies[proxy]
        if verdict is None or not verdict.refused:
            return
        last = max(verdict.refused.values(), key=lambda refusing: refusing.last)
        began, questions, by = time.monotonic(), 0, last.agent
        if content.type_url == ROUTE_CONFIGURATION:
            try:
                found, questions = await self._search(proxy, served, content, last.text)
                by = self._heard_from or by
            except _Interrupted:
                return
        else:
            kind = content.type_url.rpartition(".")[2]
            one = suspect(served, kind, content.name)
            found = [] if one is None else [(one, last.text)]
        refusals = {each.refusal(text, by): None for each, text in found}
        if not refusals:
            self._hopeless.add((proxy, content))
        self._feed.publish(
            UpdateTraced(
                proxy=proxy,
                type_url=content.type_url,
                name=content.name,
                text=last.text,
                refusals=tuple(refusals),
                questions=questions,
                seconds=time.monotonic() - began,
            )
        )
        if refusals:
            self._judge.convict(content, refusals)

    async def _search(
        self, proxy: str, served: ir.Proxy, content: Content, text: str
    ) -> tuple[list[tuple[Suspect, str]], int]:
        """Find the routes, or virtual hosts, that are at fault for a route configuration."""
        proof = self._judge.proofs[proxy].newest
        now = _configuration(served, content.name)
        if now is None:
            return [], 0
        past = proof.proxy if proof is not None else None
        accepted = _configuration(past, content.name) if past is not None else None
        base = proof.snapshot.get(ROUTE_CONFIGURATION, content.name) if proof is not None else None
        # In a thread: there may be a hundred thousand routes.
        self._heard_from = ""
        everybody = await asyncio.to_thread(suspects, now, accepted)
        if len(everybody) <= 1:
            return [(each, text) for each in everybody], 0
        routes = [each for each in everybody if each.routes]
        hosts = [each for each in everybody if not each.routes]
        search = Search(routes)
        try:
            while group := search.group:
                guilty, words = await self._try(proxy, content, base, group)
                search.answer(guilty=guilty, text=words)
        except TimeoutError:
            pass  # what is not known by now counts as guilty
        finally:
            self._stop_asking()
        found = [*search.culprits, *((each, text) for each in search.undecided)]
        if not found:
            # No route is at fault by itself: the virtual hosts are, or all of it together.
            found = [(each, text) for each in _named(hosts, text) or hosts or routes]
        return found, search.questions

    async def _try(
        self, proxy: str, content: Content, base: Resource | None, group: Sequence[Suspect]
    ) -> tuple[bool, str]:
        """
        Ask one Envoy about some routes.

        Raises:
            TimeoutError: It does not answer.
        """
        routes = [route for each in group for route in each.routes]
        resource = await asyncio.to_thread(trial, content.name, base, routes)
        stream = self._witness(proxy, content)
        snapshot = self._cache.get(proxy, node=stream.node.id)
        if snapshot is None:
            raise _Interrupted
        others = dict(snapshot.resources(ROUTE_CONFIGURATION))
        others[content.name] = resource
        self._asked = stream, resource
        self._answer = asyncio.get_running_loop().create_future()
        self._case = proxy, content
        self._cache.try_out(
            proxy, stream.id, snapshot.replace(ROUTE_CONFIGURATION, others.values())
        )
        async with asyncio.timeout(_PATIENCE):
            answer = await self._answer
        self._heard_from = agent(stream)
        return answer

    def _witness(self, proxy: str, content: Content) -> StreamInfo:
        """
        Choose whom to ask: rather somebody who has refused it, and always the same.

        Who refuses what is tried out together with the suspects would refuse all of them.

        Raises:
            _Interrupted: Nobody is there, or the case is none any more.
        """
        judge = self._judge
        refusing = judge.refusing.get(content, set())
        proof = judge.proofs[proxy].newest
        streams = [
            stream
            for stream in judge.streams.values()
            # A stream of a single type may not carry what is to be tried out.
            if stream.proxy == proxy
            and (not stream.type_url or stream.id in refusing)
            and not (proof is not None and judge.is_odd(stream, proof.snapshot))
        ]
        if not streams or (proxy, content) not in judge.open_cases():
            raise _Interrupted
        return min(streams, key=lambda stream: (stream.id not in refusing, stream.id))

    def _stop_asking(self) -> None:
        if self._asked is not None:
            stream, _ = self._asked
            self._cache.try_out(stream.proxy, stream.id, None)
        self._asked = self._answer = None


def _configuration(proxy: ir.Proxy, name: str) -> ir.RouteConfiguration | None:
    return next((each for each in proxy.route_configurations if each.name == name), None)


def _named(hosts: Iterable[Suspect], text: str) -> list[Suspect]:
    """Return the virtual hosts of which a domain, or the name, is in Envoy's words."""
    words = set(text.replace("'", " ").split())
    return [
        host for host in hosts if words & {host.owner.name, *getattr(host.value, "domains", ())}
    ]

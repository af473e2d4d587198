"""From a source to what is served."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from penstock.errors import SourceEmpty, SourceError
from penstock.events import (
    ProxyHeld,
    ProxyReleased,
    ReloadFinished,
    SourceLost,
    SourceRecovered,
    StateDamaged,
    StateLoaded,
    StateSaved,
    StateUnwritable,
    TranslationFailed,
)
from penstock.judgement import Judgement
from penstock.reloader import Reloader
from penstock.sources import Observation
from penstock.sources import Outage as SourceOutage
from penstock.state import Outage, Reload, Result, State
from translator.emit import emit
from translator.pipeline import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from penstock.feed import Feed
    from penstock.judge import Judge
    from penstock.keeper import Keeper
    from penstock.sources import Source
    from penstock.state import Finding, Saving
    from translator import ir
    from translator.pipeline import Inputs, Translation
    from xds.snapshot import Snapshot

__all__ = ["Controller", "Served"]

_KEEP_SECONDS: Final = 1.0
"""How long what Envoys say may wait to be saved."""


class Served(Protocol):
    """Where snapshots are put to be served."""

    def set(self, proxy: str, snapshot: Snapshot, /) -> None:
        """Serve a snapshot to a proxy from now on."""

    def mark_synced(self) -> None:
        """Begin to serve: everything that there is has been put."""


class Controller:
    """
    Follows a source, and serves what it means.

    What users get wrong is in the findings. What the world does (a folder that vanishes) and what
    we do (a bug) changes nothing of what is served, and is told.
    """

    def __init__(
        self,
        *,
        source: Source,
        served: Served,
        feed: Feed,
        keeper: Keeper | None = None,
        judge: Judge | None = None,
        translate: Callable[[Inputs, Translation | None], Translation] = translate,
        emit: Callable[[ir.Proxy, tuple[ir.Proxy, Snapshot] | None], Snapshot] = emit,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._served = served
        self._feed = feed
        self._keeper = keeper
        self._judge = judge
        self._turn = asyncio.Lock()
        """Held by whoever changes the state."""
        self._newest: Observation | None = None
        """What the source held when it was read last."""
        self._now = now
        self._monotonic = monotonic
        self._first: Observation | None = None
        self._reloader = Reloader(
            keeper=keeper, translate=translate, emit=emit, now=now, monotonic=monotonic
        )
        self.state = State(saving=keeper.saving if keeper is not None else None)
        """Where it stands; a new value after each reload."""

    @property
    def source(self) -> Source:
        """Where the resources come from."""
        return self._source

    async def restore(self) -> bool:
        """
        Serve what an earlier process served last, as far as it was kept.

        Returns:
            Whether anything is served now.
        """
        keeper = self._keeper
        if keeper is None:
            return False
        began = self._monotonic()
        loaded = await asyncio.to_thread(keeper.load, self._now())
        if self._judge is not None:
            self._judge.restore(loaded.judgement)
        for name, publication in loaded.proxies.items():
            self._served.set(name, publication.snapshot)
        if loaded.proxies:
            self._served.mark_synced()
        self.state = replace(
            self.state,
            generation=max((each.generation for each in loaded.proxies.values()), default=0),
            proxies=loaded.proxies,
            held=loaded.held,
        )
        saving = keeper.saving
        self._tell_damage(saving.directory, loaded.problems)
        if saving.problem:
            self._feed.publish(StateUnwritable(saving=saving, repeated=False))
        versions = {name: each.snapshot.version_info for name, each in loaded.proxies.items()}
        seconds = self._monotonic() - began
        self._feed.publish(
            StateLoaded(directory=saving.directory, versions=versions, seconds=seconds)
        )
        return bool(loaded.proxies)

    async def start(self) -> None:
        """
        Read the source for the first time.

        An empty source is waited for: it may be a volume that is about to be mounted, and to
        serve nothing would make every Envoy forget everything. So is any other as long as
        there is something else to serve.

        Raises:
            SourceError: There is no such source, or it cannot be read.
        """
        try:
            self._first = await self._source.first()
        except SourceError as error:
            if not self.state.proxies and not isinstance(error, SourceEmpty):
                raise
            self._lose(error)

    async def run(self) -> None:
        """Serve what the source holds, as far as Envoys take it, for ever."""
        if self._first is None and self.state.outage is None:
            await self.start()
        if self._first is not None:
            await self._observed(self._first)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_source())
            if self._judge is not None:
                tasks.create_task(self._follow_decisions(self._judge))
                tasks.create_task(self._follow_proofs(self._judge))

    def reload(self, *, retry: bool = False) -> None:
        """
        Read the source at once.

        Args:
            retry: Whether to have tried once more what Envoys refused.
        """
        if retry and self._judge is not None:
            self._judge.retry()
        self._source.refresh()

    async def _follow_source(self) -> None:
        async with aclosing(self._source.events()) as events:
            async for event in events:
                match event:
                    case Observation():
                        await self._observed(event)
                    case SourceOutage(error=error):
                        async with self._turn:
                            self._lose(error)

    async def _follow_decisions(self, judge: Judge) -> None:
        """Translate again whenever it is known who is at fault for what an Envoy refuses."""
        while True:
            await judge.decided.wait()
            judge.decided.clear()
            if self._newest is not None:
                async with self._turn:
                    outage = self.state.outage
                    await self._apply(replace(self._newest, noticed=self._monotonic()))
                    self.state = replace(self.state, outage=outage)

    async def _follow_proofs(self, judge: Judge) -> None:
        """Keep what Envoys say: refusals at once, the rest soon, for they say much at a time."""
        while self._keeper is not None:
            await judge.proved.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_KEEP_SECONDS):
                    await judge.refused.wait()
            judge.proved.clear()
            judge.refused.clear()
            async with self._turn:
                before = self.state.saving
                saving = await asyncio.to_thread(self._keeper.save, self.state, judge.judgement())
                self.state = replace(self.state, saving=saving)
                self._tell_saving(saving, before)

    async def _observed(self, observation: Observation) -> None:
        async with self._turn:
            self._recover()
            self._newest = observation
            await self._apply(observation)

    def _lose(self, error: SourceError) -> None:
        state = self.state
        reason = str(error)
        if state.outage is not None and state.outage.reason == reason:
            return
        now = self._now()
        since = state.outage.since if state.outage else now
        reload = Reload(result=Result.LOST, at=now, seconds=0.0, error=reason)
        self.state = replace(state, reload=reload, outage=Outage(reason=reason, since=since))
        self._feed.publish(
            SourceLost(source=self._source.name, reason=reason, served=state.generation > 0)
        )
        self._feed.publish(ReloadFinished(reload=reload, new=(), gone=()))

    async def _apply(self, observation: Observation) -> None:
        """Serve what was read."""
        before, judge = self.state, self._judge
        judgement = judge.judgement() if judge is not None else Judgement()
        # In a thread, so that the streams go on meanwhile.
        step = await asyncio.to_thread(self._reloader.reload, observation, before, judgement)
        if judge is not None and step.state.translation is not None:
            for publication in step.state.proxies.values():
                judge.remember(publication, step.state.translation.memory)
        for event in step.published:
            self._served.set(event.publication.proxy.name, event.publication.snapshot)
        if step.state.translation is not None and step.state.proxies:
            self._served.mark_synced()
        self.state = step.state
        if step.state.saving is not None:
            self._tell_damage(step.state.saving.directory, step.damage)
            self._tell_saving(step.state.saving, before.saving)
        for name, error in step.failures:
            self._feed.publish(TranslationFailed(error=error, proxy=name))
        for event in step.published:
            self._feed.publish(event)
        for transition in _transitions(before, step.state, step.reload.at):
            self._feed.publish(transition)
        self._feed.publish(
            ReloadFinished(
                reload=step.reload,
                new=_without(step.state.findings, before.findings),
                gone=_without(before.findings, step.state.findings),
            )
        )

    def _recover(self) -> None:
        outage = self.state.outage
        if outage is not None:
            seconds = (self._now() - outage.since).total_seconds()
            self._feed.publish(SourceRecovered(source=self._source.name, seconds=seconds))

    def _tell_damage(self, directory: str, problems: tuple[str, ...]) -> None:
        if problems:
            self._feed.publish(StateDamaged(directory=directory, problems=problems))

    def _tell_saving(self, saving: Saving, before: Saving | None) -> None:
        if saving.problem:
            repeated = before is not None and before.problem == saving.problem
            self._feed.publish(StateUnwritable(saving=saving, repeated=repeated))
        else:
            self._feed.publish(StateSaved(saving=saving))


def _transitions(before: State, after: State, now: datetime) -> Iterator[ProxyHeld | ProxyReleased]:
    """Yield which proxies are held now and were not, and the other way round."""
    for name, since in before.held.items():
        if name not in after.held:
            yield ProxyReleased(proxy=name, seconds=(now - since).total_seconds())
    if after.translation is not None:
        for name in after.held:
            if name not in before.held:
                yield ProxyHeld(
                    proxy=name,
                    because=after.translation.holding[name],
                    waiting=after.translation.served[name].waiting,
                )


def _without(findings: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    # The same mistake may stand in several places of one resource.
    known = Counter(finding.identity for finding in others)
    found: list[Finding] = []
    for finding in findings:
        known[finding.identity] -= 1
        if known[finding.identity] < 0:
            found.append(finding)
    return tuple(found)

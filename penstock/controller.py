"""From a source to what is served."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from penstock.errors import SourceEmpty, SourceError
from penstock.events import (
    ProxyHeld,
    ProxyPublished,
    ProxyReleased,
    ReloadFinished,
    ResourceChanges,
    SourceLost,
    SourceRecovered,
    StateDamaged,
    StateLoaded,
    StateSaved,
    StateUnwritable,
    TranslationFailed,
)
from penstock.holding import count_routes, held_since
from penstock.sources import Observation
from penstock.sources import Outage as SourceOutage
from penstock.state import Finding, Outage, Publication, Reload, Result, Saving, State
from translator import ir
from translator.emit import emit
from translator.pipeline import translate
from translator.report import Diagnostic, Position, rules
from xds.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from penstock.feed import Feed
    from penstock.keeper import Keeper
    from penstock.sources import Source
    from translator.pipeline import Inputs, Translation

__all__ = ["Controller", "Served"]


class Served(Protocol):
    """Where snapshots are put to be served."""

    def set(self, proxy: str, snapshot: Snapshot, /) -> None:
        """Serve a snapshot to a proxy from now on."""

    def mark_synced(self) -> None:
        """Begin to serve: everything that there is has been put."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a worker thread made of some inputs."""

    translation: Translation | None
    """None if translating failed."""
    made: tuple[tuple[ir.Proxy, Snapshot], ...] = ()
    """What is to be served, as far as it differs from what is."""
    routes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By proxy, how many routes are served and not served as written."""
    failures: tuple[tuple[str, Exception], ...] = ()
    """Our own bugs, each with the proxy that it hit, or the empty name if it hit all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a reload comes to."""

    state: State
    reload: Reload
    published: tuple[ProxyPublished, ...]
    failures: tuple[tuple[str, Exception], ...]
    damage: tuple[str, ...]
    """What of the past turned out to be damaged on the way."""


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
        translate: Callable[[Inputs, Translation | None], Translation] = translate,
        emit: Callable[[ir.Proxy, tuple[ir.Proxy, Snapshot] | None], Snapshot] = emit,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._served = served
        self._feed = feed
        self._keeper = keeper
        self._past: Translation | None = None
        self._translate = translate
        self._emit = emit
        self._now = now
        self._monotonic = monotonic
        self._first: Observation | None = None
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
        """Serve what the source holds, for ever."""
        if self._first is None and self.state.outage is None:
            await self.start()
        if self._first is not None:
            await self._apply(self._first)
        async with aclosing(self._source.events()) as events:
            async for event in events:
                match event:
                    case Observation():
                        await self._apply(event)
                    case SourceOutage(error=error):
                        self._lose(error)

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
        self._recover()
        before = self.state
        step = await asyncio.to_thread(self._step, observation, before)
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

    def _step(self, observation: Observation, before: State) -> _Step:
        """Decide what to serve, and save it; in a thread, so that streams go on meanwhile."""
        damage: tuple[str, ...] = ()
        if self._keeper is not None and self._past is None:
            self._past, damage = self._keeper.recall()
        work = self._work(observation.inputs, before)
        now = self._now()
        proxies, published = _publications(work, before, observation, now)
        reload = Reload(
            result=_result(work, published),
            at=now,
            seconds=self._monotonic() - observation.noticed,
            error="; ".join(f"{type(error).__name__}: {error}" for _, error in work.failures),
        )
        translation = work.translation or before.translation
        state = State(
            generation=before.generation + bool(published),
            reload=reload,
            outage=None,
            translation=translation,
            findings=_findings(work, before, now, self._keeper.since if self._keeper else {}),
            proxies=proxies,
            held=held_since(before.held, translation, now) if translation else before.held,
            routes=work.routes if work.translation else before.routes,
        )
        if self._keeper is not None:
            # Before anybody is served: what an Envoy has seen is not to be forgotten.
            state = replace(state, saving=self._keeper.save(state))
        return _Step(
            state=state, reload=reload, published=published, failures=work.failures, damage=damage
        )

    def _work(self, inputs: Inputs, state: State) -> _Work:
        """Translate and encode."""
        translation = state.translation
        if translation is None or translation.inputs != inputs:
            try:
                translation = self._translate(inputs, state.translation or self._past)
            except Exception as error:  # noqa: BLE001 (our bug is no reason to stop serving)
                return _Work(translation=None, failures=(("", error),))
        made: list[tuple[ir.Proxy, Snapshot]] = []
        failures: list[tuple[str, Exception]] = []
        for proxy in (*translation.proxies, *_deleted(state, translation)):
            old = state.proxies.get(proxy.name)
            if old is not None and not old.loaded and old.proxy == proxy:
                continue
            known = (old.proxy, old.snapshot) if old is not None and not old.loaded else None
            try:
                snapshot = self._emit(proxy, known)
            except Exception as error:  # noqa: BLE001 (likewise, and other proxies move on)
                failures.append((proxy.name, error))
            else:
                made.append((proxy, snapshot))
        return _Work(
            translation=translation,
            made=tuple(made),
            routes=MappingProxyType(
                {name: count_routes(served) for name, served in translation.served.items()}
            ),
            failures=tuple(failures),
        )


def _publications(
    work: _Work, before: State, observation: Observation, now: datetime
) -> tuple[Mapping[str, Publication], tuple[ProxyPublished, ...]]:
    """List what is to be served, and what of it is new."""
    proxies = dict(before.proxies)
    published: list[ProxyPublished] = []
    for proxy, snapshot in work.made:
        old = before.proxies.get(proxy.name)
        if old is not None and old.snapshot == snapshot:
            proxies[proxy.name] = replace(old, proxy=proxy, loaded=False)
            continue
        proxies[proxy.name] = publication = Publication(
            proxy=proxy,
            snapshot=snapshot,
            since=now,
            generation=before.generation + 1,
            noticed=observation.noticed,
        )
        changes = _changes(old.snapshot if old else Snapshot.of(()), snapshot)
        published.append(ProxyPublished(publication=publication, changes=changes))
    return MappingProxyType(dict(sorted(proxies.items()))), tuple(published)


def _deleted(state: State, translation: Translation) -> Iterator[ir.Proxy]:
    """Yield the proxies that nobody asks for any more, as proxies that are to do nothing."""
    wanted = {proxy.name for proxy in translation.proxies}
    for name in state.proxies:
        if name not in wanted:
            yield ir.Proxy(
                name=name, listeners=(), route_configurations=(), clusters=(), load_assignments=()
            )


def _result(work: _Work, published: Sequence[ProxyPublished]) -> Result:
    if work.failures:
        return Result.FAILED
    return Result.PUBLISHED if published else Result.UNCHANGED


def _changes(before: Snapshot, after: Snapshot) -> tuple[ResourceChanges, ...]:
    changes: list[ResourceChanges] = []
    for type_url in sorted({*before.types(), *after.types()}):
        if before.version(type_url) == after.version(type_url):
            continue
        old, new = before.resources(type_url), after.resources(type_url)
        changes.append(
            ResourceChanges(
                type_url=type_url,
                added=tuple(name for name in new if name not in old),
                changed=tuple(
                    name for name in new if name in old and new[name].version != old[name].version
                ),
                removed=tuple(name for name in old if name not in new),
            )
        )
    return tuple(changes)


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


def _findings(
    work: _Work, before: State, now: datetime, past: Mapping[tuple[str, str, str], datetime]
) -> tuple[Finding, ...]:
    """List what is wrong now, our own bugs too, with the time since when."""
    translation = work.translation or before.translation
    diagnostics = [
        *(translation.diagnostics if translation else ()),
        *(_bug(name, error) for name, error in work.failures),
    ]
    since = {finding.identity: finding.since for finding in before.findings}
    if before.translation is None:
        since = {**past, **since}
    findings = (
        Finding(diagnostic=diagnostic, since=now)
        for diagnostic in sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key)
    )
    return tuple(
        replace(finding, since=since.get(finding.identity, finding.since)) for finding in findings
    )


def _bug(proxy: str, error: Exception) -> Diagnostic:
    what = f"proxy '{proxy}' cannot be encoded" if proxy else "the resources cannot be translated"
    return Diagnostic(
        rule=rules.INTERNAL,
        resource=None,
        position=Position(path="", line=1, column=1),
        message=f"{what} because of a bug in Penstock: {type(error).__name__}: {error}",
        help="report it with the traceback in the log; undo the last change to go on meanwhile",
        effect=(
            f"proxy '{proxy}' is served what it was before the last change; others move on"
            if proxy
            else "everything is served as it was before the last change"
        ),
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

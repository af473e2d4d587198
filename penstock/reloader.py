"""From what a source holds to what is to be served."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from penstock.events import ProxyPublished, ResourceChanges
from penstock.holding import count_routes, held_since
from penstock.judgement import Judgement
from penstock.state import Finding, Publication, Reload, Result, State
from translator import ir
from translator.report import Diagnostic, Position, rules
from xds.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from penstock.keeper import Keeper
    from penstock.sources import Observation
    from translator.pipeline import Inputs, Translation

__all__ = ["Reloader", "Step"]


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
class Step:
    """What a reload comes to."""

    state: State
    """Where the program stands once that is served."""
    reload: Reload
    published: tuple[ProxyPublished, ...]
    """What is to be served instead of what is."""
    failures: tuple[tuple[str, Exception], ...]
    """Our own bugs, each with the proxy that it hit, or the empty name if it hit all."""
    damage: tuple[str, ...]
    """What of the past turned out to be damaged on the way."""


class Reloader:
    """Translates, encodes and saves; one call at a time, in any thread."""

    def __init__(
        self,
        *,
        keeper: Keeper | None,
        translate: Callable[[Inputs, Translation | None], Translation],
        emit: Callable[[ir.Proxy, tuple[ir.Proxy, Snapshot] | None], Snapshot],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """
        Get ready.

        Args:
            keeper: Keeps what is decided for the next start; None if nobody does.
            translate: From inputs to what they mean.
            emit: From that to what goes on the wire.
            now: Tells the time of day.
            monotonic: Tells the seconds that have passed.
        """
        self._keeper = keeper
        self._translate = translate
        self._emit = emit
        self._now = now
        self._monotonic = monotonic
        self._recalled = False
        self._past: Translation | None = None
        """What an earlier process knew, until this one knows better."""

    def reload(
        self, observation: Observation, before: State, judgement: Judgement | None = None
    ) -> Step:
        """
        Decide what to serve, and save it.

        Args:
            observation: What the source holds.
            before: Where the program stands.
            judgement: What Envoys have said.
        """
        judgement = judgement or Judgement()
        damage: tuple[str, ...] = ()
        if self._keeper is not None and not self._recalled:
            self._past, damage = self._keeper.recall()
            self._recalled = True
        work = self._work(observation.inputs, before, judgement)
        if work.translation is not None:
            self._past = None
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
            state = replace(state, saving=self._keeper.save(state, judgement))
        return Step(
            state=state, reload=reload, published=published, failures=work.failures, damage=damage
        )

    def _work(self, inputs: Inputs, state: State, judgement: Judgement) -> _Work:
        """Translate and encode."""
        if judgement.refusals:
            inputs = replace(inputs, refusals=tuple(sorted(judgement.refusals)))
        past = state.translation or self._past
        if past is not None and judgement.proven:
            past = replace(past, memory=judgement.inform(past.memory))
        try:
            translation = self._translate(inputs, past)
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
            # What was loaded is whole, and what was encoded now is in parts that can be used again.
            proxies[proxy.name] = replace(old, proxy=proxy, snapshot=snapshot, loaded=False)
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
    return tuple(
        ResourceChanges(
            type_url=type_url, added=each.added, changed=each.changed, removed=each.removed
        )
        for type_url, each in sorted(after.changes(before).items())
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

"""The stages of a translation, joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from translator.lower import NOTHING, Incumbents, Lowered, Victim, cluster, lower
from translator.parse import parse
from translator.policy import (
    Backends,
    Good,
    InvalidConfig,
    Memory,
    Quarantine,
    Served,
    Subject,
    effect,
    find_refused,
    held_by,
    hold,
    read_policy,
    serve,
    victims_of,
)
from translator.report import Damage, Diagnostic, Position, ResourceRef, Severity, rules
from translator.resources import Past, Resource, folder_namespace, read, update_index
from translator.resources.base import Model
from translator.reuse import changes, updated

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from translator import ir
    from translator.lower import Affected, Blame
    from translator.policy import Hit, Refusal
    from translator.resources import Index, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a source holds at one moment."""

    files: Mapping[str, bytes]
    """The texts by origin: for a folder, the path below it with `/` between names."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Files and folders that exist and could not be read, each with the reason."""
    refusals: tuple[Refusal, ...] = ()
    """What Envoy does not take of what was served before, or is no longer there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """What one text says on its own."""

    text: bytes
    readings: tuple[Reading, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def damaged(self) -> bool:
        """Whether a part of the text could not be read, whatever it held."""
        return any(map(_hides, self.diagnostics))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was done on the way to a translation; no result depends on it."""

    flawed: Mapping[str, FileReading] = field(default_factory=dict)
    """The texts with mistakes."""
    written: Lowered = NOTHING
    """The resources as they are written."""
    decided: Lowered = NOTHING
    """The same with former ones in the place of those that turned out to be invalid."""
    goods: frozenset[ResourceRef] = frozenset()
    """The resources that are remembered although they are not there any more, or not as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What some inputs mean."""

    inputs: Inputs
    policy: InvalidConfig
    """The policy in force for what is invalid."""
    served: Mapping[str, Served]
    """What each proxy is served and why, by name."""
    diagnostics: tuple[Diagnostic, ...]
    """Every mistake, once, sorted by place."""
    holding: Mapping[str, tuple[Diagnostic, ...]]
    """For each proxy that is held, the mistakes that hold it."""
    affected: tuple[Affected, ...]
    """Who suffers from a mistake of somebody else, sorted."""
    files: Mapping[str, FileReading]
    """The reading of each text, for the next translation to reuse."""
    memory: Memory
    """What the next translation has to know of this one, also after a restart."""
    work: Work = field(default_factory=Work, compare=False, repr=False)
    """What the next translation can use again of this one."""

    @property
    def proxies(self) -> tuple[ir.Proxy, ...]:
        """What each proxy is to be served, sorted by name; every route is valid."""
        return tuple(served.proxy for served in self.served.values())

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)


def restored(memory: Memory, files: Mapping[str, FileReading] | None = None) -> Translation:
    """
    Make the translation that another process ended with, as far as the next one needs it.

    Args:
        memory: What the other process knew.
        files: Readings of texts by origin that the next translation can reuse.
    """
    return Translation(
        inputs=Inputs(files={}),
        policy=InvalidConfig(),
        served={},
        diagnostics=(),
        holding={},
        affected=(),
        files=files or {},
        memory=memory,
    )


def read_file(origin: str, text: bytes, known: FileReading | None = None) -> FileReading:
    """Read a text, unless it is known already."""
    if known is not None and known.text == text:
        return known
    parsed = parse(origin, text)
    namespace = folder_namespace(origin)
    readings = tuple(read(document, folder_namespace=namespace) for document in parsed.documents)
    found = (diagnostic for reading in readings for diagnostic in reading.diagnostics)
    return FileReading(text=text, readings=readings, diagnostics=(*parsed.diagnostics, *found))


def translate(inputs: Inputs, previous: Translation | None = None) -> Translation:
    """
    Translate inputs into what each proxy is to be served.

    Args:
        inputs: All texts.
        previous: What was translated and served before. Its work is reused; what was good in it
            stands in, as the policy says, for what is invalid now.

    Never raises for what users write; their mistakes are diagnostics.
    """
    translating = _Translating(inputs, previous or restored(Memory()))
    if previous is not None and previous.served and translating.nothing_changed:
        return previous
    return translating.translation()


class _Translating:
    """One translation, from stage to stage."""

    def __init__(self, inputs: Inputs, previous: Translation) -> None:
        self._inputs = inputs
        self._previous = previous
        self._quarantine = Quarantine(inputs.refusals)
        self._memory = self._quarantine.disprove(previous.memory)
        self._fresh = previous.work.written is NOTHING
        self._read()
        damaged = {origin for origin, file in self._flawed.items() if file.damaged}
        damaged.update(inputs.unreadable)
        self._lost = _Lost(damaged, self._memory, self._candidates(damaged))

    def _read(self) -> None:
        """Read the texts that are new."""
        texts, known = self._inputs.files, self._previous.files
        changed = changes(texts, self._previous.inputs.files)
        read = {
            origin: read_file(origin, texts[origin], known.get(origin)) if origin in texts else None
            for origin in sorted(changed)
        }
        self._files = updated({} if self._fresh else known, read)
        self._flawed = updated(
            self._previous.work.flawed,
            {o: file if file and file.diagnostics else None for o, file in read.items()},
        )
        self._changed = {o for o in changed if self._files.get(o) is not known.get(o)}

    def _candidates(self, damaged: set[str]) -> Iterable[ResourceRef]:
        """Choose the resources that may have been in damaged files, or below folders."""
        before = self._previous
        if self._fresh or any(
            origin not in before.files and origin not in before.inputs.unreadable
            for origin in damaged
        ):
            return self._memory.resources
        refs = (each.ref for each in _readings(before.files, damaged))
        return {*(ref for ref in refs if ref is not None), *before.work.goods}

    @property
    def nothing_changed(self) -> bool:
        """Whether the inputs say what the ones before said."""
        now, before = self._inputs, self._previous.inputs
        return not self._changed and (now.unreadable, now.refusals) == (
            before.unreadable,
            before.refusals,
        )

    def _stage(
        self, before: Lowered, rejected: frozenset[ResourceRef]
    ) -> tuple[Lowered, tuple[Diagnostic, ...]]:
        """Index and lower all resources, but for those that turned out to be invalid."""
        known = self._previous.files
        good = _Resources(self._memory.resources)
        past = Past(good=good, lost=self._lost.refs, rejected=rejected)
        fresh = self._fresh
        index, conflicts = update_index(
            before.index,
            gone=() if fresh else _readings(known, self._changed),
            come=_readings(self._files, self._files if fresh else self._changed),
            past=past,
        )
        incumbents = Incumbents.of(each.served for each in self._memory.proxies.values())
        return lower(index, incumbents, before), conflicts

    def translation(self) -> Translation:
        """Go through all stages."""
        quarantine, memory, before = self._quarantine, self._memory, self._previous.work
        written, conflicts = self._stage(before.written, frozenset())
        hits = [hit for proxy in written.proxies for hit in quarantine.find(proxy)]
        refused = {hit.refusal.owner for hit in hits if hit.refusal.subject is Subject.RESOURCE}
        mistakes, rejected = written.findings, written.rejected | refused
        decided = written
        replaced = refused.union(ref for ref in rejected if ref in memory.resources)
        if replaced:
            # Only now is it known that they are invalid, and that what was good must stand in.
            decided, conflicts = self._stage(before.decided, frozenset(replaced))
            stale = decided.index.stale
            own = (found for found in mistakes if found.diagnostic.resource in stale)
            mistakes = (*decided.findings, *own)
        policy, complaints = read_policy(decided.index)
        served, more = self._serve(decided, policy)
        hits += more
        lowered = _with_victims(decided, hits)
        findings: list[tuple[Diagnostic, Iterable[Blame]]] = [
            *(
                (_unreadable(origin, reason), [(ref, "") for ref in self._lost.of(origin)])
                for origin, reason in self._inputs.unreadable.items()
            ),
            *(
                finding
                for origin, file in self._flawed.items()
                for finding in _findings(origin, file, lowered, self._lost)
            ),
            *((diagnostic, ()) for diagnostic in (*conflicts, *complaints)),
            *((finding.diagnostic, [finding.blame]) for finding in mistakes),
            *(
                (diagnostic, [blame])
                for diagnostic, blame in find_refused(hits, written.index, lowered.labels)
            ),
        ]
        unusable = decided.index.broken | decided.index.stale
        diagnostics, holding = _explained(findings, unusable, lowered, served, policy)
        resources, goods = self._remember(decided.index, served, rejected)
        return Translation(
            inputs=self._inputs,
            policy=policy,
            served=served,
            diagnostics=diagnostics,
            holding=holding,
            affected=lowered.affected,
            files=self._files,
            memory=Memory(
                resources=resources,
                proxies={name: decision.memory for name, decision in served.items()},
                proven=memory.proven,
            ),
            work=Work(flawed=self._flawed, written=written, decided=decided, goods=goods),
        )

    def _serve(
        self, lowered: Lowered, policy: InvalidConfig
    ) -> tuple[dict[str, Served], list[Hit]]:
        """Decide what each proxy is served."""
        spare = Backends.of(*lowered.former)
        served: dict[str, Served] = {}
        hits: list[Hit] = []
        for proxy in lowered.proxies:
            marked, guilty = self._quarantine.mark(proxy)
            hits += guilty
            served[proxy.name] = serve(
                marked,
                policy,
                self._memory.proxies.get(proxy.name),
                stale=lowered.index.stale,
                spare=spare,
                quarantine=self._quarantine,
                before=self._previous.served.get(proxy.name),
            )
        return served, hits

    def _remember(
        self, index: Index, served: Mapping[str, Served], rejected: frozenset[ResourceRef]
    ) -> tuple[Mapping[ResourceRef, Good], frozenset[ResourceRef]]:
        """
        Remember the resources that are good, and those of the past that are still of use.

        Returns:
            The resources, and which of them are not simply those that are there.
        """
        known, work = self._memory.resources, self._previous.work
        concerned = {
            *(each.ref for each in _readings(self._files, self._changed)),
            *(each.ref for each in _readings(self._previous.files, self._changed)),
            *index.special,
            *work.decided.index.special,
            *work.goods,
            *rejected,
        }
        if self._fresh or known is not self._previous.memory.resources:
            concerned |= {*index.claims, *known}
        needed: frozenset[str] | None = None
        good: dict[ResourceRef, Good | None] = {}
        goods: set[ResourceRef] = set()
        for ref in concerned:
            if ref is None:
                continue
            resource = index.find(ref)
            good[ref] = past = known.get(ref)
            if resource is not None and ref not in rejected and ref not in index.stale:
                origin = resource.locator.origin
                if past is None or past.resource is not resource:
                    good[ref] = Good(
                        origin=origin, text=self._files[origin].text, resource=resource
                    )
                continue
            if past is None:
                continue
            goods.add(ref)
            if ref in index.stale or ref in index.broken:
                continue
            if needed is None:
                needed = frozenset(name for each in served.values() for name in each.needed)
            if ref.kind != "Upstream" or cluster(ref.namespace, ref.name) not in needed:
                good[ref] = None
                goods.discard(ref)
        return updated(known, good, ordered=False), frozenset(goods)


class _Resources(Mapping[ResourceRef, Resource[Model]]):
    """The resources that were good last."""

    def __init__(self, good: Mapping[ResourceRef, Good]) -> None:
        self._good = good

    def __getitem__(self, ref: ResourceRef) -> Resource[Model]:
        return self._good[ref].resource

    def __iter__(self) -> Iterator[ResourceRef]:
        return iter(self._good)

    def __len__(self) -> int:
        return len(self._good)


class _Lost:
    """The resources that were in files, or below folders, that cannot be read any more."""

    def __init__(
        self, damaged: set[str], memory: Memory, candidates: Iterable[ResourceRef]
    ) -> None:
        self._by_origin: dict[str, list[ResourceRef]] = {}
        for ref in sorted(candidates) if damaged else ():
            good = memory.resources.get(ref)
            for origin in _with_folders(good.origin) if good is not None else ():
                if origin in damaged:
                    self._by_origin.setdefault(origin, []).append(ref)

    @property
    def refs(self) -> frozenset[ResourceRef]:
        """All of them."""
        return frozenset(ref for those in self._by_origin.values() for ref in those)

    def of(self, origin: str) -> list[ResourceRef]:
        """Those of one file or folder."""
        return self._by_origin.get(origin, [])


def _readings(files: Mapping[str, FileReading], origins: Iterable[str]) -> Iterator[Reading]:
    for origin in origins:
        if origin in files:
            yield from files[origin].readings


def _with_victims(lowered: Lowered, hits: Sequence[Hit]) -> Lowered:
    """Count the routes that Envoy refused among those that suffer from a mistake."""
    if not hits:
        return lowered
    victims = dict(lowered.victims)
    for blame, those in victims_of(hits).items():
        more = (Victim(source=hit.source, matches=hit.matches) for hit in those if hit.matches)
        victims[blame] = (*victims.get(blame, ()), *more)
    return replace(lowered, victims=victims)


def _findings(
    origin: str, file: FileReading, lowered: Lowered, lost: _Lost
) -> Iterator[tuple[Diagnostic, list[Blame]]]:
    """List the findings of a file with what is to blame for the routes that they break."""
    blames: dict[Diagnostic, Blame] = {}
    for reading in file.readings:
        if reading.ref is None:
            continue
        labels = lowered.labels(reading.ref)
        if reading.broken:
            blames |= dict.fromkeys(reading.diagnostics, (reading.ref, ""))
            continue
        for index, found in reading.routes.items():
            # Of a table that is defined twice, only one is lowered.
            if index < len(labels):
                blames |= dict.fromkeys(found, (reading.ref, labels[index]))
    gone: list[Blame] = [(ref, "") for ref in lost.of(origin)] if file.damaged else []
    for diagnostic in file.diagnostics:
        if _hides(diagnostic):
            yield diagnostic, gone
        else:
            yield diagnostic, [blames[diagnostic]] if diagnostic in blames else []


def _explained(
    findings: Iterable[tuple[Diagnostic, Iterable[Blame]]],
    unusable: Container[ResourceRef],
    lowered: Lowered,
    served: Mapping[str, Served],
    policy: InvalidConfig,
) -> tuple[tuple[Diagnostic, ...], dict[str, tuple[Diagnostic, ...]]]:
    """Say what each mistake does to traffic, and list those that hold a proxy, by proxy."""
    explained: list[Diagnostic] = []
    holds: dict[tuple[str, ...], str] = {}
    holding: dict[str, list[Diagnostic]] = {name: [] for name in served if served[name].held}
    for diagnostic, blames in sorted(findings, key=lambda finding: finding[0].sort_key):
        if diagnostic.severity is not Severity.ERROR:
            explained.append(diagnostic)
            continue
        victims: list[Victim] = []
        invalid: list[ResourceRef] = []
        for blame in blames:
            victims += lowered.victims.get(blame, ())
            ref, route = blame
            if not route and ref in unusable:
                invalid.append(ref)
        held = held_by(victims, invalid, served)
        if held not in holds:  # those who wait may be many
            holds[held] = hold(held, served)
        full = replace(
            diagnostic,
            effect=diagnostic.effect or effect(victims, invalid, holds[held], served, policy),
            related=(*diagnostic.related, *_owners(diagnostic.resource, lowered)),
        )
        explained.append(full)
        for name in held:
            holding[name].append(full)
    return tuple(explained), {name: tuple(found) for name, found in holding.items()}


def _owners(ref: ResourceRef | None, lowered: Lowered) -> Iterator[tuple[str, Position]]:
    """Follow the delegations from a table up to its virtual service."""
    seen: set[ResourceRef] = set()
    while ref is not None and ref not in seen and (place := lowered.delegators.get(ref)):
        seen.add(ref)
        ref = place.resource.ref
        yield f"delegated from {ref}", place.value


def _hides(found: Diagnostic) -> bool:
    """Tell whether a finding is about a text of which nobody knows what it was to define."""
    nameless = found.resource is None and found.severity is Severity.ERROR
    return found.rule.damage is Damage.FILE or nameless


def _with_folders(origin: str) -> Iterator[str]:
    """Yield a file and the folders that it is in."""
    while origin:
        yield origin
        origin = origin.rpartition("/")[0]


def _unreadable(origin: str, reason: str) -> Diagnostic:
    return Diagnostic(
        rule=rules.UNREADABLE,
        resource=None,
        position=Position(path=origin, line=1, column=1),
        message=f"'{origin}' cannot be read: {reason}",
        help="what it held counts as invalid until it can be read again",
    )

"""The stages of a translation, joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translator.explain import explained, findings_of, unreadable, with_victims
from translator.lower import NOTHING, Incumbents, Lowered, cluster, lower
from translator.policy import (
    Backends,
    Good,
    GoodResources,
    InvalidConfig,
    Lost,
    Memory,
    Quarantine,
    RouteOwners,
    Served,
    Subject,
    find_refused,
    read_policy,
    serve,
)
from translator.resources import PastResources, update_index
from translator.reuse import changes, updated
from translator.texts import read_file, readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator import ir
    from translator.lower import Affected, Blame
    from translator.policy import Hit, Refusal
    from translator.report import Diagnostic, ResourceRef, Severity
    from translator.resources import Index
    from translator.texts import FileReading


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
    owners: RouteOwners = field(default_factory=RouteOwners)
    """Where routes came from; looked up only while something is refused."""


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
        self._owners = RouteOwners(previous.work.owners)
        self._quarantine = Quarantine(inputs.refusals, self._owners)
        self._memory = self._quarantine.disprove(previous.memory)
        self._fresh = previous.work.written is NOTHING
        self._read()
        damaged = {origin for origin, file in self._flawed.items() if file.damaged}
        damaged.update(inputs.unreadable)
        self._lost = Lost(damaged, self._memory, self._candidates(damaged))

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
        refs = (each.ref for each in readings(before.files, damaged))
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
        good = GoodResources(self._memory.resources)
        past = PastResources(good=good, lost=self._lost.refs, rejected=rejected)
        fresh = self._fresh
        index, conflicts = update_index(
            before.index,
            gone=() if fresh else readings(known, self._changed),
            come=readings(self._files, self._files if fresh else self._changed),
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
        lowered = with_victims(decided, hits)
        findings: list[tuple[Diagnostic, Iterable[Blame]]] = [
            *(
                (unreadable(origin, reason), [(ref, "") for ref in self._lost.of(origin)])
                for origin, reason in self._inputs.unreadable.items()
            ),
            *(
                finding
                for origin, file in self._flawed.items()
                for finding in findings_of(origin, file, lowered, self._lost)
            ),
            *((diagnostic, ()) for diagnostic in (*conflicts, *complaints)),
            *((finding.diagnostic, [finding.blame]) for finding in mistakes),
            *(
                (diagnostic, [blame])
                for diagnostic, blame in find_refused(hits, written.index, lowered.labels)
            ),
        ]
        unusable = decided.index.broken | decided.index.stale
        diagnostics, holding = explained(findings, unusable, lowered, served, policy)
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
            work=Work(
                flawed=self._flawed,
                written=written,
                decided=decided,
                goods=goods,
                owners=self._owners,
            ),
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
            *(each.ref for each in readings(self._files, self._changed)),
            *(each.ref for each in readings(self._previous.files, self._changed)),
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

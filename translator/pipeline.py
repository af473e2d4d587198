"""The stages of a translation, joined."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from translator.lower import Incumbents, Victim, cluster, lower
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
from translator.report import Damage, Diagnostic, Position, Severity, rules
from translator.resources import build_index, folder_namespace, read

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from translator import ir
    from translator.lower import Affected, Blame, Lowered
    from translator.policy import Hit, Refusal
    from translator.report import ResourceRef
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
    if previous is not None and previous.inputs == inputs and previous.served:
        return previous
    quarantine = Quarantine(inputs.refusals)
    memory = quarantine.disprove(previous.memory if previous is not None else Memory())
    known = previous.files if previous is not None else {}
    files = {
        origin: read_file(origin, text, known.get(origin))
        for origin, text in sorted(inputs.files.items())
    }
    damaged = {*inputs.unreadable, *(origin for origin, file in files.items() if file.damaged)}
    readings = [reading for file in files.values() for reading in file.readings]
    last_good = {ref: good.resource for ref, good in memory.resources.items()}
    lost = _lost(memory, damaged)
    incumbents = Incumbents.of(past.served for past in memory.proxies.values())
    index, conflicts = build_index(readings, last_good=last_good, lost=lost)
    lowered = lower(index, incumbents)
    written = index
    hits = [hit for proxy in lowered.proxies for hit in quarantine.find(proxy)]
    refused = {hit.refusal.owner for hit in hits if hit.refusal.subject is Subject.RESOURCE}
    mistakes, rejected = lowered.findings, lowered.rejected | refused
    if refused or not rejected.isdisjoint(last_good):
        # Only now is it known that they are invalid, and that what was good must stand in.
        index, conflicts = build_index(
            readings,
            last_good=last_good,
            lost=lost,
            rejected=refused | (rejected & last_good.keys()),
        )
        lowered = lower(index, incumbents)
        own = (found for found in mistakes if found.diagnostic.resource in index.stale)
        mistakes = (*lowered.findings, *own)
    policy, complaints = read_policy(index)
    spare = Backends.of(*lowered.former)
    served: dict[str, Served] = {}
    for proxy in lowered.proxies:
        marked, guilty = quarantine.mark(proxy)
        hits += guilty
        served[proxy.name] = serve(
            marked,
            policy,
            memory.proxies.get(proxy.name),
            stale=index.stale,
            spare=spare,
            refused=quarantine.refuses,
        )
    lowered = _with_victims(lowered, hits)
    findings: list[tuple[Diagnostic, Iterable[Blame]]] = [
        *(
            (_unreadable(origin, reason), [(ref, "") for ref in _lost(memory, {origin})])
            for origin, reason in inputs.unreadable.items()
        ),
        *(
            finding
            for origin, file in files.items()
            for finding in _findings(origin, file, lowered, memory)
        ),
        *((diagnostic, ()) for diagnostic in (*conflicts, *complaints)),
        *((finding.diagnostic, [finding.blame]) for finding in mistakes),
        *(
            (diagnostic, [blame])
            for diagnostic, blame in find_refused(hits, written, lowered.labels)
        ),
    ]
    diagnostics, holding = _explained(findings, index.broken | index.stale, lowered, served, policy)
    return Translation(
        inputs=inputs,
        policy=policy,
        served=served,
        diagnostics=diagnostics,
        holding=holding,
        affected=lowered.affected,
        files=files,
        memory=Memory(
            resources=_good_resources(files, index, memory, served, rejected),
            proxies={name: decided.memory for name, decided in served.items()},
            proven=memory.proven,
        ),
    )


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
    origin: str, file: FileReading, lowered: Lowered, memory: Memory
) -> Iterator[tuple[Diagnostic, list[Blame]]]:
    """List the findings of a file with what is to blame for the routes that they break."""
    blames: dict[Diagnostic, Blame] = {}
    for reading in file.readings:
        if reading.ref is None:
            continue
        labels = lowered.labels.get(reading.ref, ())
        if reading.broken:
            blames |= dict.fromkeys(reading.diagnostics, (reading.ref, ""))
            continue
        for index, found in reading.routes.items():
            # Of a table that is defined twice, only one is lowered.
            if index < len(labels):
                blames |= dict.fromkeys(found, (reading.ref, labels[index]))
    # To look through all resources takes long, and few files are damaged.
    gone: list[Blame] = [(ref, "") for ref in _lost(memory, {origin})] if file.damaged else []
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


def _good_resources(
    files: Mapping[str, FileReading],
    index: Index,
    memory: Memory,
    served: Mapping[str, Served],
    rejected: Container[ResourceRef],
) -> dict[ResourceRef, Good]:
    """Remember the resources that are good, and those of the past that are still of use."""
    good: dict[ResourceRef, Good] = {}
    for origin, file in files.items():
        for reading in file.readings:
            resource = reading.resource
            if resource is None or resource.ref in rejected:
                continue
            if index.resources.get(resource.ref) is resource:
                good[resource.ref] = Good(origin=origin, text=file.text, resource=resource)
    needed = {name for decided in served.values() for name in decided.needed}
    for ref, past in memory.resources.items():
        upstream = ref.kind == "Upstream" and cluster(ref.namespace, ref.name) in needed
        if ref not in good and (ref in index.stale or ref in index.broken or upstream):
            good[ref] = past
    return {ref: good[ref] for ref in sorted(good)}


def _lost(memory: Memory, damaged: Container[str]) -> set[ResourceRef]:
    """Find the resources that were in a file, or below a folder, that cannot be read any more."""
    return {ref for ref, good in memory.resources.items() if _below(good.origin, damaged)}


def _hides(found: Diagnostic) -> bool:
    """Tell whether a finding is about a text of which nobody knows what it was to define."""
    nameless = found.resource is None and found.severity is Severity.ERROR
    return found.rule.damage is Damage.FILE or nameless


def _below(origin: str, damaged: Container[str]) -> bool:
    while origin:
        if origin in damaged:
            return True
        origin = origin.rpartition("/")[0]
    return False


def _unreadable(origin: str, reason: str) -> Diagnostic:
    return Diagnostic(
        rule=rules.UNREADABLE,
        resource=None,
        position=Position(path=origin, line=1, column=1),
        message=f"'{origin}' cannot be read: {reason}",
        help="what it held counts as invalid until it can be read again",
    )

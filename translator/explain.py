"""What each mistake does to traffic, and who holds whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from translator.lower import Victim
from translator.policy import effect, held_by, hold, victims_of
from translator.report import Diagnostic, Position, Severity, rules
from translator.texts import hides

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from translator.lower import Blame, Lowered
    from translator.policy import Hit, InvalidConfig, Lost, Served
    from translator.report import ResourceRef
    from translator.texts import FileReading


def with_victims(lowered: Lowered, hits: Sequence[Hit]) -> Lowered:
    """Count the routes that Envoy refused among those that suffer from a mistake."""
    if not hits:
        return lowered
    victims = dict(lowered.victims)
    for blame, those in victims_of(hits).items():
        more = (Victim(source=hit.source, matches=hit.matches) for hit in those if hit.matches)
        victims[blame] = (*victims.get(blame, ()), *more)
    return replace(lowered, victims=victims)


def findings_of(
    origin: str, file: FileReading, lowered: Lowered, lost: Lost
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
        if hides(diagnostic):
            yield diagnostic, gone
        else:
            yield diagnostic, [blames[diagnostic]] if diagnostic in blames else []


def explained(
    findings: Iterable[tuple[Diagnostic, Iterable[Blame]]],
    unusable: Container[ResourceRef],
    lowered: Lowered,
    served: Mapping[str, Served],
    policy: InvalidConfig,
) -> tuple[tuple[Diagnostic, ...], dict[str, tuple[Diagnostic, ...]]]:
    """Say what each mistake does to traffic, and list those that hold a proxy, by proxy."""
    full: list[Diagnostic] = []
    holds: dict[tuple[str, ...], str] = {}
    holding: dict[str, list[Diagnostic]] = {name: [] for name in served if served[name].held}
    for diagnostic, blames in sorted(findings, key=lambda finding: finding[0].sort_key):
        if diagnostic.severity is not Severity.ERROR:
            full.append(diagnostic)
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
        told = replace(
            diagnostic,
            effect=diagnostic.effect or effect(victims, invalid, holds[held], served, policy),
            related=(*diagnostic.related, *_owners(diagnostic.resource, lowered)),
        )
        full.append(told)
        for name in held:
            holding[name].append(told)
    return tuple(full), {name: tuple(found) for name, found in holding.items()}


def _owners(ref: ResourceRef | None, lowered: Lowered) -> Iterator[tuple[str, Position]]:
    """Follow the delegations from a table up to its virtual service."""
    seen: set[ResourceRef] = set()
    while ref is not None and ref not in seen and (place := lowered.delegator(ref)):
        seen.add(ref)
        ref = place.resource.ref
        yield f"delegated from {ref}", place.value


def unreadable(origin: str, reason: str) -> Diagnostic:
    """Say that a file or folder cannot be read."""
    return Diagnostic(
        rule=rules.UNREADABLE,
        resource=None,
        position=Position(path=origin, line=1, column=1),
        message=f"'{origin}' cannot be read: {reason}",
        help="what it held counts as invalid until it can be read again",
    )

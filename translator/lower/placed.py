"""The routes of a virtual service in their places: with all that they take from above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from translator import ir
from translator.lower import names
from translator.lower.options import UNSET, OptionsDraft
from translator.lower.regexes import literal_prefix
from translator.reuse import same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from translator.lower.findings import Place
    from translator.lower.inheritance import PlacedMatch
    from translator.lower.tables import RouteDraft
    from translator.report import ResourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRoute:
    """A route of a virtual service, wherever it was written."""

    draft: RouteDraft
    matches: tuple[PlacedMatch, ...]
    action: ir.Action | None
    options: OptionsDraft = UNSET
    via: tuple[RouteDraft, ...] = ()
    """The routes that delegate to it, from the top."""
    faults: tuple[str, ...] = ()
    causes: tuple[ResourceRef, ...] = ()

    @property
    def plain_matches(self) -> tuple[ir.Match, ...]:
        """The matchers without their places."""
        return tuple(placed.match for placed in self.matches)

    @property
    def valid(self) -> bool:
        """Whether all of it can be served as written."""
        if self.faults or self.action is None:
            return False
        return not isinstance(self.action, ir.Split) or not any(
            member.faults for member in self.action.members
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One Envoy route, and where its matcher was written."""

    route: ir.Route
    place: Place
    beginning: str | None
    """With what all paths begin that it matches, in lower case; None if it is not valid."""


class Placed(NamedTuple):
    """What became of one written route."""

    entries: tuple[Entry, ...]
    """One for each matcher."""
    flat: FlatRoute | None
    """The route, if anything is wrong with it; the others are many, and are not kept."""

    @property
    def matches(self) -> tuple[ir.Match, ...]:
        """What it matches."""
        if self.flat is not None:
            return self.flat.plain_matches
        return tuple(entry.route.match for entry in self.entries)


def _beginning(route: ir.Route) -> str | None:
    path = route.match.path
    value = literal_prefix(path.value) if path.kind is ir.PathKind.REGEX else path.value
    # Nearly all are in lower case already, and need not be there twice.
    return same(value.lower(), value) if route.valid else None


def place(routes: Sequence[FlatRoute], known: Mapping[str, ir.Route]) -> list[Placed]:
    """
    Make one Envoy route of each matcher, and name it.

    Args:
        routes: Routes in their order, all of those that names have to tell apart.
        known: Envoy routes of an earlier time, by name; those that are equal are used again.
    """
    unique = iter(names.envoy_routes(routes))
    placed: list[Placed] = []
    for route, identity in zip(routes, names.identities(routes), strict=True):
        options = route.options.of(route.action)
        source = names.source(route.draft.owner, route.draft.label)
        entries: list[Entry] = []
        for match in route.matches:
            made = ir.Route(
                name=next(unique),
                identity=identity,
                match=match.match,
                action=route.action,
                options=options,
                source=source,
                faults=route.faults,
                replaceable=match.replaceable,
            )
            made = same(made, known.get(made.name))
            entries.append(Entry(made, match.place, _beginning(made)))
        placed.append(Placed(tuple(entries), None if route.valid else route))
    return placed

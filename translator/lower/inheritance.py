"""What a matcher takes from the route above it, and what it must not leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from translator.ir import PathKind
from translator.lower.findings import Findings, Place
from translator.lower.options import UNSET, OptionsDraft
from translator.lower.regexes import stays_below
from translator.report import rules

if TYPE_CHECKING:
    from translator.ir import Match, PathMatch
    from translator.lower.findings import Finding
    from translator.lower.matchers import MatchDraft
    from translator.lower.tables import RouteDraft, TableDraft
    from translator.resources import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMatch:
    """A matcher as Envoy gets it, and where it was written."""

    match: Match
    place: Place
    replaceable: bool = True
    """Whether anything may answer what it matches: Envoy accepts it, and it stays below its
    parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """All that the routes of a table take from above."""

    parent: PlacedMatch | None = None
    """The matcher of the route that delegates to the table; None in a virtual service."""
    inherits_matchers: bool = False
    inherits_path: bool = False
    options: OptionsDraft = UNSET
    tables: tuple[Key, ...] = ()
    """The tables from the top to this one."""
    routes: tuple[RouteDraft, ...] = ()
    """The routes that delegate from one to the next, the first in the virtual service."""

    def means(self, other: Scope) -> bool:
        """Tell whether routes take the same from another scope, wherever that was written."""
        return (
            self.tables == other.tables
            and self.inherits_matchers == other.inherits_matchers
            and self.inherits_path == other.inherits_path
            and self.options == other.options
            and (self.parent and self.parent.match) == (other.parent and other.parent.match)
            and [draft.owner for draft in self.routes] == [draft.owner for draft in other.routes]
        )

    def below(self, draft: RouteDraft, match: PlacedMatch, table: Key) -> Scope:
        """Enter a table to which a route of this scope delegates."""
        return Scope(
            parent=match,
            inherits_matchers=_effective(draft.inherits_matchers, parent=self.inherits_matchers),
            inherits_path=_effective(draft.inherits_path, parent=self.inherits_path),
            options=draft.options.below(self.options),
            tables=(*self.tables, table),
            routes=(*self.routes, draft),
        )


def resolve(
    draft: RouteDraft,
    scope: Scope,
    table: TableDraft,
    found: list[Finding],
    reported: set[Place],
) -> tuple[tuple[PlacedMatch, ...], tuple[str, ...]]:
    """
    Put a route's matchers below those of its parent (gloo-behaviour 3.5, steps 1 to 6).

    Args:
        draft: The route.
        scope: What is above it.
        table: The table that it is in.
        found: Where findings go.
        reported: The matchers that have a finding already, to which others are added.

    Returns:
        The matchers, and the codes of the mistakes that only the parent shows.
    """
    if not draft.readable:
        # Nothing is known of what it matches.
        return tuple(_unusable(match) for match in draft.matches), ()
    parent = scope.parent
    if parent is None:
        return tuple(
            PlacedMatch(match=match.match, place=match.place, replaceable=not match.faults)
            for match in draft.matches
        ), ()
    inherits_matchers = _effective(draft.inherits_matchers, parent=scope.inherits_matchers)
    inherits_path = _effective(draft.inherits_path, parent=scope.inherits_path)
    findings = Findings(table.resource, draft.label, found)
    placed: list[PlacedMatch] = []
    outside: list[str] = []
    for own in draft.matches:
        match = own.match
        if inherits_path:
            match = replace(match, path=parent.match.path)
        if inherits_matchers:
            match = _with_conditions(match, parent.match)
        if own.faults:
            placed.append(_unusable(own))
            continue
        complaint, hint = _leaves(match, parent.match, bare=draft.bare)
        if complaint:
            outside.append(rules.OUTSIDE_PARENT.code)
            if own.place not in reported:
                reported.add(own.place)
                place = own.place if draft.bare else own.place.at(match.path.kind.value)
                related = (("the route above", parent.place.value),)
                findings.add(rules.OUTSIDE_PARENT, place, complaint, help=hint, related=related)
        placed.append(PlacedMatch(match=match, place=own.place, replaceable=not complaint))
    return tuple(placed), tuple(outside)


def _unusable(draft: MatchDraft) -> PlacedMatch:
    return PlacedMatch(match=draft.match, place=draft.place, replaceable=False)


def _effective(own: bool | None, *, parent: bool) -> bool:  # noqa: FBT001  as in the resource
    return parent if own is None else own


def _with_conditions(match: Match, parent: Match) -> Match:
    """
    Put the parent's conditions in front of a matcher's own.

    Methods are alternatives, so a matcher's own must restrict the parent's; Gloo unites them.
    """
    return replace(
        match,
        headers=tuple(dict.fromkeys((*parent.headers, *match.headers))),
        query=tuple(dict.fromkeys((*parent.query, *match.query))),
        methods=match.methods or parent.methods,
    )


def _leaves(match: Match, parent: Match, *, bare: bool) -> tuple[str, str]:
    """Say how a matcher takes requests that its parent does not, and what to do; or nothing."""
    complaint = _path_leaves(match.path, parent.path)
    if complaint:
        what = "a route without a matcher" if bare else f"the path '{match.path.value}'"
        return f"{what} {complaint}", f"begin the path with '{parent.path.value}'"
    for header in parent.headers:
        if header not in match.headers:
            return _lacks(str(header))
    for parameter in parent.query:
        if parameter not in match.query:
            return _lacks(str(parameter))
    if parent.methods and not match.methods:
        return _lacks(f"method {' or '.join(parent.methods)}")
    beyond = [method for method in match.methods if method not in parent.methods]
    if parent.methods and beyond:
        return (
            f"the method {beyond[0]} is not one of the route above",
            f"it has {', '.join(parent.methods)}",
        )
    return "", ""


def _path_leaves(path: PathMatch, parent: PathMatch) -> str:
    if path.kind is PathKind.REGEX:
        if stays_below(path.value, parent.value):
            return ""
        return f"may match outside '{parent.value}', the prefix of the route above"
    if not path.case_sensitive and parent.case_sensitive and parent.value != "/":
        return "matches in any case, and the route above does not"
    if parent.case_sensitive:
        inside = path.value.startswith(parent.value)
    else:
        inside = path.value.lower().startswith(parent.value.lower())
    return "" if inside else f"is outside '{parent.value}', the prefix of the route above"


def _lacks(condition: str) -> tuple[str, str]:
    return (
        f"the matcher lacks a condition of the route above: {condition}",
        "add it, or set 'inheritableMatchers: true' on the route above",
    )

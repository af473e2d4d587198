"""From the routes of a virtual service to one flat list, depth first and in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import is_
from typing import TYPE_CHECKING

from translator.lower.findings import Findings
from translator.lower.inheritance import Scope, resolve
from translator.lower.order import sort_by_path
from translator.lower.placed import FlatRoute, Placed, place
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator import ir
    from translator.lower.delegation import Delegations
    from translator.lower.findings import Finding, Place
    from translator.lower.inheritance import PlacedMatch
    from translator.lower.tables import RouteDraft, TableDraft
    from translator.report import ResourceRef, Rule
    from translator.resources import Key

_MAX_DEPTH = 64
_MAX_ROUTES = 500_000
"""How many routes one virtual service may have."""
_MAX_REPEATED = 500
"""How many routes may be repeated below one table to which a virtual service delegates, because
tables below it are reached again. Twenty small tables that each delegate twice to the next would
make a million. Each such table has its own, so that nobody uses up what others need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The routes of one table that delegates nothing, below one virtual service."""

    table: TableDraft
    scope: Scope
    placed: tuple[Placed, ...]
    found: tuple[Finding, ...]

    def within(self, scope: Scope) -> Block | None:
        """
        Return the same routes in another scope, if they mean the same there.

        An edit of a virtual service makes all of its routes anew, and most mean what they meant.
        But a finding tells where the route above it stands.
        """
        if all(map(is_, self.scope.routes, scope.routes)):
            return self
        if self.found or not self.scope.means(scope):
            return None
        return replace(self, scope=scope)  # and let go of what was written before


@dataclass(slots=True, kw_only=True)
class Walk:
    """The way through the tables of one virtual service."""

    tables: Mapping[Key, TableDraft]
    delegations: Delegations
    former: Mapping[tuple[Key, ...], Block]
    """The blocks of an earlier walk, by the tables that lead to them; reused where they fit."""
    known: Mapping[str, ir.Route]
    """The Envoy routes of an earlier walk, by name."""
    found: list[Finding] = field(default_factory=list)
    blocks: dict[tuple[Key, ...], Block] = field(default_factory=dict)
    visited: set[Key] = field(default_factory=set)
    """The names of all tables on the way."""
    again: bool = False
    """Whether a name was met more than once, so that all routes must be named together."""
    apart: bool = True
    """Whether the routes of each table are named by themselves."""
    count: int = 0
    """How many routes the tables entered so far hold; an empty one counts as one."""
    entered: set[Key] = field(default_factory=set)
    """The tables entered below the one to which the virtual service delegates."""
    repeated: int = 0
    """How many routes were met again there."""
    reported: set[tuple[ResourceRef, str, Rule]] = field(default_factory=set)
    """What was said of which routes already."""

    def routes(self, table: TableDraft, scope: Scope) -> list[Placed]:
        """List the routes of a table, and of those to which it delegates."""
        outside: set[Place] = set()
        parts: list[FlatRoute | list[Placed]] = []
        for draft in table.routes:
            matches, codes = resolve(draft, scope, table, self.found, outside)
            faults = tuple(sorted({*draft.faults, *codes}))
            if draft.delegate is None:
                parts.append(
                    FlatRoute(
                        draft=draft,
                        matches=matches,
                        action=draft.action,
                        options=draft.options.below(scope.options),
                        via=scope.routes,
                        faults=faults,
                        causes=draft.causes,
                    )
                )
            elif faults:
                parts.append(_marker(draft, matches, scope, faults))
            else:
                parts += self._below(table, draft, matches, scope)
        flat = [part for part in parts if isinstance(part, FlatRoute)]
        own = iter(place(flat, self.known) if self.apart else [Placed((), each) for each in flat])
        return [
            placed for part in parts for placed in (part if isinstance(part, list) else [next(own)])
        ]

    def _enter(self, table: TableDraft, scope: Scope) -> list[Placed]:
        """List the routes of a table below the virtual service."""
        key = scope.tables[-1]
        self.count += len(table.routes) or 1
        self.entered.add(key)
        self.again |= key in self.visited
        self.visited.add(key)
        if table.delegating:
            return self.routes(table, scope)
        former = self.former.get(scope.tables)
        block = former.within(scope) if former is not None and former.table is table else None
        if block is None:
            before = len(self.found)
            placed = self.routes(table, scope)
            found = tuple(self.found[before:])
            del self.found[before:]
            block = Block(table=table, scope=scope, placed=tuple(placed), found=found)
        self.found += block.found
        self.blocks[scope.tables] = block
        return list(block.placed)

    def _below(
        self,
        table: TableDraft,
        draft: RouteDraft,
        matches: tuple[PlacedMatch, ...],
        scope: Scope,
    ) -> list[FlatRoute | list[Placed]]:
        targets = self.delegations.by_table[draft.owner].targets[draft.label]
        if targets.faults:
            return [_marker(draft, matches, scope, targets.faults, targets.causes)]
        if scope.tables and self.repeated > _MAX_REPEATED:
            return [_marker(draft, matches, scope, (self._report_repeats(table, draft),))]
        below: list[FlatRoute | list[Placed]] = []
        faults: set[str] = set()
        for group in targets.groups:
            merged: list[Placed] = []
            for key in group:
                if not scope.tables:
                    self.entered, self.repeated = set(), 0
                fault = self._refuse(table, draft, scope, key)
                if fault:
                    faults.add(fault)
                    continue
                merged += self._enter(self.tables[key], scope.below(draft, matches[0], key))
            below.append(merged if len(group) == 1 else sort_by_path(merged, _matches))
        if faults:
            # Last, because it stands for all of the prefix that the other tables leave.
            below.append(_marker(draft, matches, scope, tuple(sorted(faults))))
        return below

    def _refuse(self, table: TableDraft, draft: RouteDraft, scope: Scope, key: Key) -> str:
        """Report why a table cannot be entered, and return the code; empty if it can be."""
        if key in self.entered:
            self.repeated += len(self.tables[key].routes) or 1
            if self.repeated > _MAX_REPEATED:
                return self._report_repeats(table, draft)
        if key in scope.tables:
            return self._report_cycle(table, draft, scope, key)
        if len(scope.tables) >= _MAX_DEPTH:
            message = f"more than {_MAX_DEPTH} tables delegate one to the next"
            return self._report(table, draft, rules.BAD_DELEGATION, message)
        if self.count + len(self.tables[key].routes) > _MAX_ROUTES:
            message = f"a virtual service has more than {_MAX_ROUTES} routes after delegation"
            return self._report(table, draft, rules.BAD_DELEGATION, message)
        return ""

    def _report_repeats(self, table: TableDraft, draft: RouteDraft) -> str:
        message = f"the tables below repeat more than {_MAX_REPEATED} routes"
        hint = "delegate to each table once, and let its routes match more"
        return self._report(table, draft, rules.BAD_DELEGATION, message, hint)

    def _report_cycle(self, table: TableDraft, draft: RouteDraft, scope: Scope, key: Key) -> str:
        start = scope.tables.index(key)
        cycle = [*scope.tables[start:], key]
        links = zip(scope.tables[start:], scope.routes[start:], strict=True)
        message = f"delegation cycle: {' -> '.join('/'.join(each) for each in cycle)}"
        hint = "let one of these tables not delegate to the next"
        return self._report(table, draft, rules.DELEGATION_CYCLE, message, hint, links)

    def _report(
        self,
        table: TableDraft,
        draft: RouteDraft,
        rule: Rule,
        message: str,
        hint: str = "",
        links: Iterable[tuple[Key, RouteDraft]] = (),
    ) -> str:
        """Report once why a route cannot delegate, however often it is met."""
        if (draft.owner, draft.label, rule) not in self.reported:
            self.reported.add((draft.owner, draft.label, rule))
            Findings(table.resource, draft.label, self.found).add(
                rule,
                draft.place.at("delegateAction"),
                message,
                help=hint,
                related=tuple(
                    (f"'{'/'.join(key)}' is entered here", link.place.at("delegateAction").value)
                    for key, link in links
                ),
            )
        return rule.code


def _marker(
    draft: RouteDraft,
    matches: tuple[PlacedMatch, ...],
    scope: Scope,
    faults: tuple[str, ...],
    causes: tuple[ResourceRef, ...] = (),
) -> FlatRoute:
    """Stand for all that is below a route whose delegation fails."""
    return FlatRoute(
        draft=draft, matches=matches, action=None, via=scope.routes, faults=faults, causes=causes
    )


def _matches(placed: Placed) -> tuple[ir.Match, ...]:
    return placed.matches

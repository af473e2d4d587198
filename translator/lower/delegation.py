"""From the routes of a virtual service to one flat list: who delegates to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from translator.lower.findings import Findings
from translator.lower.inheritance import PlacedMatch, Scope, resolve
from translator.lower.options import UNSET, OptionsDraft
from translator.lower.order import sort_by_path
from translator.lower.selectors import expression_complaint, fulfils, has_labels
from translator.lower.suggestions import similar_resource
from translator.report import ResourceRef, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.ir import Action, Match
    from translator.lower.findings import Finding, Place
    from translator.lower.tables import RouteDraft, TableDraft
    from translator.report import Rule
    from translator.resources import Index, Key, Resource
    from translator.resources.delegation import DelegateAction, RouteTableSelector
    from translator.resources.specs import RouteTableSpec

_MAX_DEPTH = 64
_MAX_ROUTES = 500_000
"""How many routes one virtual service may have."""
_MAX_REPEATED = 500
"""How many routes may be repeated below one table to which a virtual service delegates, because
tables below it are reached again. Twenty small tables that each delegate twice to the next would
make a million. Each such table has its own, so that nobody uses up what others need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRoute:
    """A route of a virtual service, wherever it was written."""

    draft: RouteDraft
    matches: tuple[PlacedMatch, ...]
    action: Action | None
    options: OptionsDraft = UNSET
    via: tuple[RouteDraft, ...] = ()
    """The routes that delegate to it, from the top."""
    faults: tuple[str, ...] = ()
    causes: tuple[ResourceRef, ...] = ()

    @property
    def plain_matches(self) -> tuple[Match, ...]:
        """The matchers without their places."""
        return tuple(placed.match for placed in self.matches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The tables to which a route delegates."""

    groups: tuple[tuple[Key, ...], ...] = ()
    """Tables of one weight each, in ascending order of weights."""
    faults: tuple[str, ...] = ()
    causes: tuple[ResourceRef, ...] = ()


@dataclass(slots=True, kw_only=True)
class Delegation:
    """The tables, and what delegates to them."""

    index: Index
    tables: Mapping[Key, TableDraft]
    found: list[Finding] = field(default_factory=list)
    targets: dict[tuple[ResourceRef, str], Targets] = field(default_factory=dict)
    """By table and label of the delegating route."""
    outside: set[Place] = field(default_factory=set)
    """The matchers that leave their parent and were reported."""

    def find_targets(self, drafts: Iterable[TableDraft]) -> None:
        """Find the tables to which all routes delegate, whether anything reaches them or not."""
        for table in drafts:
            for draft in table.routes:
                if draft.delegate is not None:
                    findings = Findings(table.resource, draft.label, self.found)
                    self.targets[draft.owner, draft.label] = self._targets(
                        draft.delegate, draft.place.at("delegateAction"), findings
                    )

    def reached_from(self, drafts: Iterable[TableDraft]) -> set[Key]:
        """Follow all delegations, also those of invalid routes."""
        reached: set[Key] = set()
        todo = list(drafts)
        while todo:
            table = todo.pop()
            for draft in table.routes:
                targets = self.targets.get((draft.owner, draft.label), Targets())
                for key in (key for group in targets.groups for key in group):
                    if key not in reached:
                        reached.add(key)
                        todo.append(self.tables[key])
        return reached

    def delegators(self, drafts: Iterable[TableDraft]) -> dict[ResourceRef, Place]:
        """Find for each table the first route that delegates to it."""
        first: dict[ResourceRef, Place] = {}
        for table in drafts:
            for draft in table.routes:
                targets = self.targets.get((draft.owner, draft.label), Targets())
                for key in (key for group in targets.groups for key in group):
                    place = draft.place.at("delegateAction")
                    first.setdefault(self.tables[key].resource.ref, place)
        return first

    def flatten(self, host: TableDraft) -> list[FlatRoute]:
        """Flatten the routes of a virtual service, depth first and in order."""
        return _Walk(self).routes(host, Scope())

    def _targets(self, spec: DelegateAction, place: Place, findings: Findings) -> Targets:
        if spec.selector is not None:
            return self._selected(spec.selector, place.at("selector"), findings)
        if spec.ref is not None:
            return self._named(spec.ref.namespace, spec.ref.name, place.at("ref"), findings)
        # The deprecated form.
        return self._named(spec.namespace or "", spec.name or "", place, findings)

    def _named(self, namespace: str, name: str, place: Place, findings: Findings) -> Targets:
        """
        Find one table.

        A missing namespace is that of the delegating resource, as it is for upstreams; in Gloo
        nothing is found then.
        """
        key = (namespace or findings.resource.ref.namespace, name)
        if key in self.tables:
            return Targets(groups=((key,),))
        ref = ResourceRef("RouteTable", *key)
        if ref in self.index.broken:
            # The table has a finding of its own.
            return Targets(faults=(rules.INVALID_ROUTE_TABLE.code,), causes=(ref,))
        code = findings.add(
            rules.UNKNOWN_ROUTE_TABLE,
            place.at("name"),
            f"route table '{'/'.join(key)}' does not exist",
            help=similar_resource(ref, self.index),
        )
        return Targets(faults=(code,))

    def _selected(self, selector: RouteTableSelector, place: Place, findings: Findings) -> Targets:
        if selector.labels and selector.expressions:
            message = "a selector has labels or expressions, not both"
            hint = "write the labels as expressions with the operator 'Equals'"
            code = findings.add(rules.BAD_SELECTOR, place.at("labels").key, message, help=hint)
            return Targets(faults=(code,))
        for index, expression in enumerate(selector.expressions):
            complaint = expression_complaint(expression)
            if complaint:
                where = place.at("expressions", index)
                return Targets(faults=(findings.add(rules.BAD_SELECTOR, where, complaint),))
        selected = [
            (table.spec.weight, (table.ref.namespace, table.ref.name))
            for table in self._in_namespaces(selector, findings.resource.ref.namespace)
            if has_labels(table.labels, selector.labels)
            and fulfils(table.labels, selector.expressions)
        ]
        if not selected:
            findings.add(
                rules.EMPTY_SELECTION,
                place,
                "no route table matches the selector",
                help=_looked_in(selector, findings.resource.ref.namespace),
            )
        # The tables are sorted, and sorting by weight keeps their order within a group.
        selected.sort(key=lambda item: item[0])
        groups = groupby(selected, key=lambda item: item[0])
        return Targets(groups=tuple(tuple(key for _, key in group) for _, group in groups))

    def _in_namespaces(
        self, selector: RouteTableSelector, own: str
    ) -> Iterable[Resource[RouteTableSpec]]:
        if "*" in selector.namespaces:
            return self.index.route_tables.values()
        by_namespace = self.index.route_tables_by_namespace
        namespaces = sorted(set(selector.namespaces)) or [own]
        return [table for namespace in namespaces for table in by_namespace.get(namespace, ())]


@dataclass(slots=True)
class _Walk:
    """The way through the tables of one virtual service."""

    delegation: Delegation
    count: int = 0
    """How many routes the tables entered so far hold; an empty one counts as one."""
    entered: set[Key] = field(default_factory=set)
    """The tables entered below the one to which the virtual service delegates."""
    repeated: int = 0
    """How many routes were met again there."""
    reported: set[tuple[ResourceRef, str, Rule]] = field(default_factory=set)
    """What was said of which routes already."""

    def routes(self, table: TableDraft, scope: Scope) -> list[FlatRoute]:
        flat: list[FlatRoute] = []
        for draft in table.routes:
            matches, outside = resolve(
                draft, scope, table, self.delegation.found, self.delegation.outside
            )
            faults = tuple(sorted({*draft.faults, *outside}))
            if draft.delegate is None:
                flat.append(
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
                flat.append(_marker(draft, matches, scope, faults))
            else:
                flat += self._below(table, draft, matches, scope)
        return flat

    def _below(
        self,
        table: TableDraft,
        draft: RouteDraft,
        matches: tuple[PlacedMatch, ...],
        scope: Scope,
    ) -> list[FlatRoute]:
        targets = self.delegation.targets[draft.owner, draft.label]
        if targets.faults:
            return [_marker(draft, matches, scope, targets.faults, targets.causes)]
        if scope.tables and self.repeated > _MAX_REPEATED:
            return [_marker(draft, matches, scope, (self._report_repeats(table, draft),))]
        flat: list[FlatRoute] = []
        faults: set[str] = set()
        for group in targets.groups:
            merged: list[FlatRoute] = []
            for key in group:
                if not scope.tables:
                    self.entered, self.repeated = set(), 0
                fault = self._refuse(table, draft, scope, key)
                if fault:
                    faults.add(fault)
                    continue
                child = self.delegation.tables[key]
                self.count += len(child.routes) or 1
                self.entered.add(key)
                merged += self.routes(child, scope.below(draft, matches[0], key))
            flat += merged if len(group) == 1 else sort_by_path(merged, _plain_matches)
        if faults:
            # Last, because it stands for all of the prefix that the other tables leave.
            flat.append(_marker(draft, matches, scope, tuple(sorted(faults))))
        return flat

    def _refuse(self, table: TableDraft, draft: RouteDraft, scope: Scope, key: Key) -> str:
        """Report why a table cannot be entered, and return the code; empty if it can be."""
        if key in self.entered:
            self.repeated += len(self.delegation.tables[key].routes) or 1
            if self.repeated > _MAX_REPEATED:
                return self._report_repeats(table, draft)
        if key in scope.tables:
            return self._report_cycle(table, draft, scope, key)
        if len(scope.tables) >= _MAX_DEPTH:
            message = f"more than {_MAX_DEPTH} tables delegate one to the next"
            return self._report(table, draft, rules.BAD_DELEGATION, message)
        if self.count + len(self.delegation.tables[key].routes) > _MAX_ROUTES:
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
            Findings(table.resource, draft.label, self.delegation.found).add(
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


def _plain_matches(route: FlatRoute) -> tuple[Match, ...]:
    return route.plain_matches


def _looked_in(selector: RouteTableSelector, own: str) -> str:
    if "*" in selector.namespaces:
        return ""
    if selector.namespaces:
        listed = ", ".join(f"'{namespace}'" for namespace in sorted(set(selector.namespaces)))
        return f"it looks in {listed}; '*' looks in all namespaces"
    return f"it looks in '{own}' only; to look in all namespaces, set 'namespaces: [\"*\"]'"

"""Which tables each route delegates to, and which tables anything leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from translator.lower.findings import Findings, Place
from translator.lower.selectors import expression_complaint, fulfils, has_labels
from translator.lower.suggestions import similar_resource
from translator.report import ResourceRef, rules
from translator.reuse import changes, same_keys, updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator.lower.drafts import Drafts
    from translator.lower.findings import Finding
    from translator.lower.tables import RouteDraft, TableDraft
    from translator.resources import Index, Key, Resource
    from translator.resources.delegation import DelegateAction, RouteTableSelector
    from translator.resources.specs import RouteTableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The tables to which a route delegates."""

    groups: tuple[tuple[Key, ...], ...] = ()
    """Tables of one weight each, in ascending order of weights."""
    faults: tuple[str, ...] = ()
    causes: tuple[ResourceRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTargets:
    """What all routes of one table, or virtual service, delegate to."""

    table: TableDraft
    targets: Mapping[str, Targets]
    """By the label of the delegating route."""
    found: tuple[Finding, ...]
    asked: frozenset[Key]
    """The tables that it names, whether they are there or not."""

    def selects(self, tables: Iterable[Resource[RouteTableSpec]]) -> bool:
        """Tell whether any of some tables is one that a selector wants."""
        own = self.table.resource.ref.namespace
        selectors = [
            draft.delegate.selector
            for draft in self.table.delegating
            if draft.delegate is not None and draft.delegate.selector is not None
        ]
        return any(_wants(each, own, table) for each in selectors for table in tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegations:
    """Who delegates to whom, whether anything reaches them or not."""

    by_table: Mapping[ResourceRef, TableTargets] = field(default_factory=dict)
    """The tables and virtual services that delegate."""
    reached: frozenset[Key] = frozenset()
    """The tables that a virtual service leads to, also by way of invalid routes."""
    delegators: Mapping[ResourceRef, Place] = field(default_factory=dict)
    """For each table the first route that delegates to it."""
    lonely: tuple[Key, ...] = ()
    """The tables that no virtual service leads to, sorted."""
    unreached: Mapping[Key, Finding] = field(default_factory=dict)
    """What is reported of them."""

    @property
    def found(self) -> Iterator[Finding]:
        """What is wrong with delegations, and what leads to nowhere."""
        for targets in self.by_table.values():
            yield from targets.found
        yield from self.unreached.values()


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationsBefore:
    """What there was before."""

    index: Index
    drafts: Drafts
    delegations: Delegations


def find_delegations(index: Index, drafts: Drafts, before: DelegationsBefore) -> Delegations:
    """
    Find out who delegates to whom.

    Args:
        index: The resources.
        drafts: The tables, lowered.
        before: What there was before. Only what may be other than it was is looked at again; the
            result does not depend on it.
    """
    known, old = before.drafts, before.delegations
    finder = _Finder(index, drafts)
    by_table = updated(
        old.by_table,
        {ref: finder.targets_of(ref) for ref in _concerned(index, drafts, before)},
    )
    reached, delegators, lonely = old.reached, old.delegators, old.lonely
    if by_table is not old.by_table:
        reached = frozenset(_reached(by_table, drafts))
        delegators = _delegators(by_table, drafts)
    if by_table is not old.by_table or not same_keys(drafts.tables, known.tables):
        lonely = tuple(sorted(drafts.tables.keys() - reached))
    unreached: dict[Key, Finding] = {}
    # While something that might lead there cannot be read, nothing is reported.
    if not drafts.vague and not any(
        ref.kind in {"VirtualService", "RouteTable"} for ref in index.broken
    ):
        unreached = {
            key: old.unreached[key]
            if key in old.unreached and known.tables[key] is drafts.tables[key]
            else _unreached(drafts.tables[key])
            for key in lonely
        }
    return Delegations(
        by_table=by_table,
        reached=reached,
        delegators=delegators,
        lonely=lonely,
        unreached=unreached,
    )


def _concerned(index: Index, drafts: Drafts, before: DelegationsBefore) -> Iterator[ResourceRef]:
    """Find the tables whose targets may be other than they were."""
    earlier, known, old = before.index, before.drafts, before.delegations
    concerned = {
        ResourceRef(kind, *key)
        for kind, new, former in (
            ("RouteTable", drafts.tables, known.tables),
            ("VirtualService", drafts.services, known.services),
        )
        for key in changes(new, former)
        if any(key in each and each[key].delegating for each in (new, former))
    }
    moved: dict[Key, list[Resource[RouteTableSpec]]] = {
        ref.key: [] for ref in index.broken ^ earlier.broken if ref.kind == "RouteTable"
    }
    for key in index.changes("RouteTable", earlier):
        there, was = index.route_tables.get(key), earlier.route_tables.get(key)
        if there is None or was is None or _head(there) != _head(was):
            moved[key] = [each for each in (there, was) if each is not None]
    if moved:
        heads = [head for those in moved.values() for head in those]
        for ref, targets in old.by_table.items():
            # What is wrong with a delegation may also be told with the names of other tables.
            if targets.found or not targets.asked.isdisjoint(moved) or targets.selects(heads):
                concerned.add(ref)
    yield from sorted(concerned)


def _head(table: Resource[RouteTableSpec]) -> tuple[object, ...]:
    """Return what decides who delegates to a table, and in which order."""
    return dict(table.labels), table.spec.weight


def _reached(by_table: Mapping[ResourceRef, TableTargets], drafts: Drafts) -> set[Key]:
    reached: set[Key] = set()
    todo = [ref for ref in by_table if ref.kind == "VirtualService"]
    while todo:
        for key, _ in _links(by_table, todo.pop()):
            if key not in reached:
                reached.add(key)
                todo.append(drafts.tables[key].resource.ref)
    return reached


def _delegators(
    by_table: Mapping[ResourceRef, TableTargets], drafts: Drafts
) -> dict[ResourceRef, Place]:
    first: dict[ResourceRef, Place] = {}
    for ref in sorted(by_table, reverse=True, key=lambda ref: ref.kind == "VirtualService"):
        for key, draft in _links(by_table, ref):
            table = drafts.tables[key].resource.ref
            if table not in first:
                first[table] = draft.place.at("delegateAction")
    return first


def _links(
    by_table: Mapping[ResourceRef, TableTargets], ref: ResourceRef
) -> Iterator[tuple[Key, RouteDraft]]:
    targets = by_table.get(ref)
    for draft in targets.table.delegating if targets is not None else ():
        for group in by_table[ref].targets[draft.label].groups:
            for key in group:
                yield key, draft


def _unreached(table: TableDraft) -> Finding:
    findings = Findings(table.resource)
    findings.add(
        rules.UNREACHED_ROUTE_TABLE,
        Place(table.resource, ("metadata", "name")),
        "no virtual service leads to this route table",
        help="delegate to it by 'ref', or give it labels that a selector wants",
        effect="none of its routes is served",
    )
    return findings.found[0]


class _Finder:
    """Finds the tables to which routes delegate."""

    def __init__(self, index: Index, drafts: Drafts) -> None:
        self._index = index
        self._drafts = drafts
        self._asked: set[Key] = set()

    def targets_of(self, ref: ResourceRef) -> TableTargets | None:
        """Find what the routes of a table delegate to; None if none does."""
        table = self._drafts.table(ref)
        if table is None or not table.delegating:
            return None
        self._asked = set()
        found: list[Finding] = []
        targets = {
            draft.label: self._targets(
                draft.delegate,
                draft.place.at("delegateAction"),
                Findings(table.resource, draft.label, found),
            )
            for draft in table.delegating
            if draft.delegate is not None
        }
        return TableTargets(
            table=table, targets=targets, found=tuple(found), asked=frozenset(self._asked)
        )

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
        self._asked.add(key)
        if key in self._drafts.tables:
            return Targets(groups=((key,),))
        ref = ResourceRef("RouteTable", *key)
        if ref in self._index.broken:
            # The table has a finding of its own.
            return Targets(faults=(rules.INVALID_ROUTE_TABLE.code,), causes=(ref,))
        code = findings.add(
            rules.UNKNOWN_ROUTE_TABLE,
            place.at("name"),
            f"route table '{'/'.join(key)}' does not exist",
            help=similar_resource(ref, self._index),
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
        own = findings.resource.ref.namespace
        selected = [
            (table.spec.weight, key)
            for key, table in self._index.route_tables.items()
            if _wants(selector, own, table)
        ]
        if not selected:
            findings.add(
                rules.EMPTY_SELECTION,
                place,
                "no route table matches the selector",
                help=_looked_in(selector, own),
            )
        # The tables are sorted, and sorting by weight keeps their order within a group.
        selected.sort(key=lambda item: item[0])
        groups = groupby(selected, key=lambda item: item[0])
        return Targets(groups=tuple(tuple(key for _, key in group) for _, group in groups))


def _wants(selector: RouteTableSelector, own: str, table: Resource[RouteTableSpec]) -> bool:
    """Tell whether a selector, written in some namespace, wants a table."""
    namespaces = selector.namespaces or (own,)
    return (
        ("*" in namespaces or table.ref.namespace in namespaces)
        and has_labels(table.labels, selector.labels)
        and fulfils(table.labels, selector.expressions)
    )


def _looked_in(selector: RouteTableSelector, own: str) -> str:
    if "*" in selector.namespaces:
        return ""
    if selector.namespaces:
        listed = ", ".join(f"'{namespace}'" for namespace in sorted(set(selector.namespaces)))
        return f"it looks in {listed}; '*' looks in all namespaces"
    return f"it looks in '{own}' only; to look in all namespaces, set 'namespaces: [\"*\"]'"

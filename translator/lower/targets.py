"""The tables to which the routes of one table, or virtual service, delegate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from translator.lower.findings import Findings
from translator.lower.selectors import expression_complaint, fulfils, has_labels
from translator.lower.suggestions import similar_resource
from translator.report import ResourceRef, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.lower.drafts import Drafts
    from translator.lower.findings import Finding, Place
    from translator.lower.labels import Labelled
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
    links: Mapping[Key, RouteDraft]
    """The tables that they lead to, each with the first route that does."""
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


class Finder:
    """Finds the tables to which routes delegate."""

    def __init__(self, index: Index, drafts: Drafts, labelled: Labelled) -> None:
        """
        Begin.

        Args:
            index: The resources.
            drafts: The tables, lowered.
            labelled: The same tables by their labels.
        """
        self._index = index
        self._drafts = drafts
        self._labelled = labelled
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
        links: dict[Key, RouteDraft] = {}
        for draft in table.delegating:
            for group in targets[draft.label].groups:
                for key in group:
                    links.setdefault(key, draft)
        return TableTargets(
            table=table,
            targets=targets,
            links=links,
            found=tuple(found),
            asked=frozenset(self._asked),
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
        own, tables = findings.resource.ref.namespace, self._index.route_tables
        candidates = self._labelled.may_fit(selector)
        selected = sorted(
            (table.spec.weight, key)
            for key in (tables if candidates is None else candidates)
            if _wants(selector, own, table := tables[key])
        )
        if not selected:
            findings.add(
                rules.EMPTY_SELECTION,
                place,
                "no route table matches the selector",
                help=_looked_in(selector, own),
            )
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

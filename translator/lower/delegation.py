"""Who delegates to whom, and which tables nothing leads to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from translator.lower.findings import Findings, Place
from translator.lower.labels import Labelled
from translator.lower.targets import Finder
from translator.report import ResourceRef, rules
from translator.reuse import changes, same, updated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from translator.lower.drafts import Drafts
    from translator.lower.findings import Finding
    from translator.lower.tables import TableDraft
    from translator.lower.targets import TableTargets
    from translator.resources import Index, Key, Resource
    from translator.resources.specs import RouteTableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegations:
    """Who delegates to whom, whether anything reaches them or not."""

    by_table: Mapping[ResourceRef, TableTargets] = field(default_factory=dict)
    """The tables and virtual services that delegate."""
    owners: Mapping[Key, tuple[ResourceRef, ...]] = field(default_factory=dict)
    """For each table who delegates to it, virtual services first, also by way of invalid routes."""
    labelled: Labelled = field(default_factory=Labelled)
    """The tables by their labels."""
    lonely: frozenset[Key] = frozenset()
    """The tables that no virtual service leads to."""
    unreached: Mapping[Key, Finding] = field(default_factory=dict)
    """What is reported of them."""

    @property
    def found(self) -> Iterator[Finding]:
        """What is wrong with delegations, and what leads to nowhere."""
        for targets in self.by_table.values():
            yield from targets.found
        yield from self.unreached.values()

    def delegator(self, ref: ResourceRef) -> Place | None:
        """Return the first route that delegates to a table, if there is any."""
        owners = self.owners.get(ref.key, ()) if ref.kind == "RouteTable" else ()
        if not owners:
            return None
        return self.by_table[owners[0]].links[ref.key].place.at("delegateAction")


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
    moved = _moved(index, before.index)
    labelled = old.labelled
    if moved:
        labelled = labelled.updated(
            gone=[was for was, _ in moved.values() if was is not None],
            come=[now for _, now in moved.values() if now is not None],
        )
    finder = Finder(index, drafts, labelled)
    renewed = {
        ref: same(finder.targets_of(ref), old.by_table.get(ref))
        for ref in _concerned(index, drafts, before, moved)
    }
    by_table = updated(old.by_table, renewed)
    owners, left = _with_owners(old, renewed)
    lonely = _lonely(by_table, owners, drafts, before, left, come=moved.keys())
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
        by_table=by_table, owners=owners, labelled=labelled, lonely=lonely, unreached=unreached
    )


_Table: TypeAlias = "Resource[RouteTableSpec] | None"


def _moved(index: Index, earlier: Index) -> dict[Key, tuple[_Table, _Table]]:
    """Find the tables that came, went or are to be found otherwise: before, and now."""
    moved: dict[Key, tuple[_Table, _Table]] = {}
    for key in index.changes("RouteTable", earlier):
        was, now = earlier.route_tables.get(key), index.route_tables.get(key)
        if was is None or now is None or _head(was) != _head(now):
            moved[key] = was, now
    return moved


def _head(table: Resource[RouteTableSpec]) -> tuple[object, ...]:
    """Return what decides who delegates to a table, and in which order."""
    return dict(table.labels), table.spec.weight


def _concerned(
    index: Index,
    drafts: Drafts,
    before: DelegationsBefore,
    moved: Mapping[Key, tuple[_Table, _Table]],
) -> list[ResourceRef]:
    """Find the tables whose targets may be other than they were."""
    known, old = before.drafts, before.delegations
    concerned = {
        ResourceRef(kind, *key)
        for kind, new, former in (
            ("RouteTable", drafts.tables, known.tables),
            ("VirtualService", drafts.services, known.services),
        )
        for key in changes(new, former)
        if any(key in each and each[key].delegating for each in (new, former))
    }
    named = {ref.key for ref in index.broken ^ before.index.broken if ref.kind == "RouteTable"}
    named |= moved.keys()
    if named:
        heads = [table for both in moved.values() for table in both if table is not None]
        for ref, targets in old.by_table.items():
            # What is wrong with a delegation may also be told with the names of other tables.
            if targets.found or not targets.asked.isdisjoint(named) or targets.selects(heads):
                concerned.add(ref)
    return sorted(concerned)


def _with_owners(
    old: Delegations, renewed: Mapping[ResourceRef, TableTargets | None]
) -> tuple[Mapping[Key, tuple[ResourceRef, ...]], set[Key]]:
    """Bring the owners of tables up to date; return also the tables that one of them left."""
    left: defaultdict[Key, set[ResourceRef]] = defaultdict(set)
    won: defaultdict[Key, set[ResourceRef]] = defaultdict(set)
    for ref, targets in renewed.items():
        former = old.by_table.get(ref)
        then: set[Key] = set(former.links) if former is not None else set()
        now: set[Key] = set(targets.links) if targets is not None else set()
        for key in then - now:
            left[key].add(ref)
        for key in now - then:
            won[key].add(ref)
    changed: dict[Key, tuple[ResourceRef, ...] | None] = {}
    for key in left.keys() | won.keys():
        owners = (set(old.owners.get(key, ())) - left[key]) | won[key]
        changed[key] = tuple(sorted(owners, key=_services_first)) or None
    return updated(old.owners, changed, ordered=False), set(left)


def _services_first(ref: ResourceRef) -> tuple[bool, ResourceRef]:
    return ref.kind != "VirtualService", ref


def _lonely(
    by_table: Mapping[ResourceRef, TableTargets],
    owners: Mapping[Key, tuple[ResourceRef, ...]],
    drafts: Drafts,
    before: DelegationsBefore,
    left: Iterable[Key],
    come: Collection[Key],
) -> frozenset[Key]:
    """
    Find the tables that no virtual service leads to.

    In doubt are those that had none, those that came, and what is below a delegation that is gone:
    tables in a cycle have owners even if nothing leads there. All others are as they were.
    """
    tables, known = drafts.tables, before.drafts.tables
    lonely = {key for key in before.delegations.lonely if key in tables}
    lonely |= {key for key in come if key in tables and key not in known}
    todo = list(left)
    while todo:
        key = todo.pop()
        of_service = key in owners and owners[key][0].kind == "VirtualService"
        if key in tables and key not in lonely and not of_service:
            lonely.add(key)
            todo += _below(by_table, key)
    todo = list(lonely)
    while todo:
        key = todo.pop()
        if key in lonely and any(
            owner.kind == "VirtualService" or owner.key not in lonely
            for owner in owners.get(key, ())
        ):
            lonely.remove(key)
            todo += _below(by_table, key)
    return same(frozenset(lonely), before.delegations.lonely)


def _below(by_table: Mapping[ResourceRef, TableTargets], key: Key) -> Iterable[Key]:
    targets = by_table.get(ResourceRef("RouteTable", *key))
    return targets.links if targets is not None else ()


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

"""All route tables, virtual services and upstream groups, each lowered on its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from translator.lower.destinations import Destinations
from translator.lower.findings import Place
from translator.lower.tables import lower_table, without_own_routes
from translator.report import ResourceRef
from translator.reuse import changes, same, updated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from translator.lower.destinations import GroupDraft, SubsetUse
    from translator.lower.findings import Finding
    from translator.lower.tables import TableDraft
    from translator.lower.upstreams import Upstreams
    from translator.resources import Index, Key, Resource

_BACKENDS: Final = ("Upstream", "UpstreamGroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """What routes and destinations say before anything is put together; sorted by key."""

    tables: Mapping[Key, TableDraft] = field(default_factory=dict)
    services: Mapping[Key, TableDraft] = field(default_factory=dict)
    """The routes of the virtual services."""
    groups: Mapping[Key, GroupDraft] = field(default_factory=dict)
    flawed: frozenset[ResourceRef] = frozenset()
    """Those with a mistake."""
    vague: frozenset[ResourceRef] = frozenset()
    """Those with a route that may delegate, and it is not known to what."""

    @property
    def found(self) -> Iterator[Finding]:
        """The mistakes."""
        for ref in sorted(self.flawed):
            draft = self.groups.get(ref.key) if ref.kind == "UpstreamGroup" else self.table(ref)
            yield from draft.found if draft is not None else ()

    def uses(self, ref: ResourceRef) -> Iterator[tuple[Place, SubsetUse]]:
        """Yield the subsets of upstreams that something asks for, each with its place."""
        draft = self.groups.get(ref.key) if ref.kind == "UpstreamGroup" else self.table(ref)
        if draft is not None:
            for use in draft.subsets:
                yield Place(draft.resource, use.path), use

    def table(self, ref: ResourceRef) -> TableDraft | None:
        """Return the routes of a route table or virtual service."""
        match ref.kind:
            case "RouteTable":
                return self.tables.get(ref.key)
            case "VirtualService":
                return self.services.get(ref.key)
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftsBefore:
    """What was lowered before."""

    index: Index
    upstreams: Upstreams
    drafts: Drafts


def lower_drafts(index: Index, upstreams: Upstreams, before: DraftsBefore) -> Drafts:
    """
    Lower all route tables, virtual services and upstream groups.

    Args:
        index: The resources.
        upstreams: The upstreams, lowered.
        before: What was lowered before. Only what may be other than it was then is lowered again;
            the result does not depend on it.
    """
    return _Drafting(index, upstreams, before).drafts()


class _Drafting:
    """The lowering of what is concerned by a change."""

    def __init__(self, index: Index, upstreams: Upstreams, before: DraftsBefore) -> None:
        self._index = index
        self._before = before
        self._destinations = Destinations(index=index, clusters=upstreams.clusters)
        self._backends = self._changed_backends(upstreams)
        names, known = index.names, before.index.names
        self._hints = bool(self._backends) or any(
            names.get(kind) is not known.get(kind) for kind in _BACKENDS
        )
        """Whether what a finding suggests may be another name now."""

    def drafts(self) -> Drafts:
        old = self._before.drafts
        groups = {
            key: self._destinations.lower_group(resource) if resource is not None else None
            for key, resource in self._concerned("UpstreamGroup", old.groups).items()
        }
        self._destinations.groups = updated(old.groups, groups)
        self._backends |= {ResourceRef("UpstreamGroup", *key) for key in groups}
        tables = self._lower("RouteTable", old.tables, _of_table)
        services = self._lower("VirtualService", old.services, _of_service)
        done: dict[ResourceRef, TableDraft | GroupDraft | None] = {
            ResourceRef(kind, *key): draft
            for kind, drafts in (
                ("UpstreamGroup", groups),
                ("RouteTable", tables),
                ("VirtualService", services),
            )
            for key, draft in drafts.items()
        }
        return Drafts(
            tables=updated(old.tables, tables),
            services=updated(old.services, services),
            groups=self._destinations.groups,
            flawed=_renewed(old.flawed, done, lambda draft: bool(draft.found)),
            vague=_renewed(old.vague, done, lambda draft: getattr(draft, "may_delegate", False)),
        )

    def _changed_backends(self, upstreams: Upstreams) -> set[ResourceRef]:
        """Find the upstreams and groups about which a question may be answered otherwise."""
        index, earlier = self._index, self._before.index
        keys = changes(upstreams.clusters, self._before.upstreams.clusters)
        if index.upstreams is not earlier.upstreams:
            keys |= index.upstreams.keys() ^ earlier.upstreams.keys()
        broken = index.broken ^ earlier.broken
        return {ResourceRef("Upstream", *key) for key in keys} | {
            ref for ref in broken if ref.kind in _BACKENDS
        }

    def _lower(
        self,
        kind: str,
        old: Mapping[Key, TableDraft],
        lower: Callable[[Resource[Any], Destinations], TableDraft],
    ) -> dict[Key, TableDraft | None]:
        lowered: dict[Key, TableDraft | None] = {}
        for key, resource in self._concerned(kind, old).items():
            if resource is None:
                lowered[key] = None
                continue
            draft = lower(resource, self._destinations)
            is_stale = resource.ref in self._index.stale
            lowered[key] = without_own_routes(draft) if is_stale else draft
        return lowered

    def _concerned(
        self, kind: str, old: Mapping[Key, TableDraft] | Mapping[Key, GroupDraft]
    ) -> dict[Key, Resource[Any] | None]:
        """Find what has to be lowered again, in order."""
        index, earlier = self._index, self._before.index
        now: Mapping[Key, Resource[Any]] = index.kinds.get(kind, {})
        keys = index.changes(kind, earlier)
        keys |= {ref.key for ref in index.stale ^ earlier.stale if ref.kind == kind}
        if self._hints:
            keys |= {ref.key for ref in self._before.drafts.flawed if ref.kind == kind}
        if self._backends:
            keys.update(
                key for key, draft in old.items() if not draft.asked.isdisjoint(self._backends)
            )
        return {key: now.get(key) for key in sorted(keys)}


def _of_table(resource: Resource[Any], destinations: Destinations) -> TableDraft:
    place = Place(resource, ("spec", "routes"))
    return lower_table(resource, resource.spec.routes, place, destinations)


def _of_service(resource: Resource[Any], destinations: Destinations) -> TableDraft:
    host = resource.spec.virtual_host
    place = Place(resource, ("spec", "virtualHost", "routes"))
    return lower_table(resource, host.routes if host is not None else (), place, destinations)


def _renewed(
    old: frozenset[ResourceRef],
    done: Mapping[ResourceRef, TableDraft | GroupDraft | None],
    belongs: Callable[[TableDraft | GroupDraft], bool],
) -> frozenset[ResourceRef]:
    """Bring a set up to date about those that were lowered."""
    now = {ref for ref, draft in done.items() if draft is not None and belongs(draft)}
    return same(frozenset({ref for ref in old if ref not in done} | now), old)

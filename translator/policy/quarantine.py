"""
What Envoy refused although it passed all checks, and what follows from it.

A refusal names its content by digest, so that it ends by itself when the author changes that, and
comes into force again when the change is undone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from translator.ir.digest import digest, digest_routes
from translator.policy.memory import Memory, ProxyMemory
from translator.policy.owners import RouteOwners, owner_of
from translator.policy.routes import groups
from translator.report import rules
from translator.reuse import same, updated

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from translator import ir
    from translator.policy.memory import Good
    from translator.report import ResourceRef


class Subject(StrEnum):
    """What of a resource is refused."""

    ROUTE = "route"
    """One of its routes."""
    RESOURCE = "resource"
    """The resource as a whole: the cluster of an upstream, the listener of a gateway, the domains
    of a virtual service."""
    ENDPOINTS = "endpoints"
    """The endpoints of an upstream; it goes on with those that it had."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Refusal:
    """One thing that Envoy does not take, and why."""

    subject: Subject
    owner: ResourceRef
    """The resource that its author has to change."""
    content: str
    """The digest of what is refused."""
    text: str
    """Envoy's words."""
    by: str
    """Who says so, such as `envoy 1.40.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something in a proxy that was refused before."""

    refusal: Refusal
    source: ir.Source
    """The route, or the resource."""
    matches: tuple[ir.Match, ...] = ()
    """The requests that the route would have taken."""


class Quarantine:
    """All refusals; finds out where they apply."""

    def __init__(self, refusals: Iterable[Refusal], owners: RouteOwners | None = None) -> None:
        """
        Begin.

        Args:
            refusals: What Envoy does not take.
            owners: Knows the resources that routes came from; the result does not depend on it.
        """
        self.refusals = tuple(refusals)
        """All of them."""
        self._by_owner: defaultdict[ResourceRef, dict[tuple[Subject, str], Refusal]] = defaultdict(
            dict
        )
        for refusal in self.refusals:
            self._by_owner[refusal.owner][refusal.subject, refusal.content] = refusal
        self._owners = frozenset((ref.kind, *ref.key) for ref in self._by_owner)
        self._route_owners = owners or RouteOwners()

    def __bool__(self) -> bool:
        return bool(self._by_owner)

    def find(self, proxy: ir.Proxy) -> Iterator[Hit]:
        """Yield what of a proxy, but for its routes, was refused."""
        names = {each.owner.name for each in self.refusals if each.subject is not Subject.ROUTE}
        if not names:
            return
        yield from self._backends(proxy, names)
        for listener in proxy.listeners:
            if listener.source is not None:
                yield from self._whole(listener.source, Subject.RESOURCE, listener)
        for configuration in proxy.route_configurations:
            for host in configuration.virtual_hosts:
                if self._known(host.source):
                    yield from self._whole(host.source, Subject.RESOURCE, replace(host, routes=()))

    def refuses(self, routes: tuple[ir.Route, ...]) -> bool:
        """Tell whether the Envoy routes of one written route were refused."""
        return self._refusal(routes) is not None

    def mark(self, proxy: ir.Proxy) -> tuple[ir.Proxy, tuple[Hit, ...]]:
        """Make the routes of a proxy invalid that were refused, and tell which they are."""
        if not self:
            return proxy, ()
        hits: list[Hit] = []
        configurations = tuple(
            replace(
                configuration,
                virtual_hosts=tuple(
                    self._mark_host(host, hits) for host in configuration.virtual_hosts
                ),
            )
            for configuration in proxy.route_configurations
        )
        return replace(proxy, route_configurations=configurations) if hits else proxy, tuple(hits)

    def disprove(self, memory: Memory) -> Memory:
        """
        Take back what was remembered as good and turned out to be refused.

        What an Envoy has accepted takes its place, or nothing does.
        """
        if not self:
            return memory
        resources: dict[ResourceRef, Good | None] = {}
        proxies: dict[str, ProxyMemory] = {}
        for name, past in memory.proxies.items():
            proven = memory.proven.get(name)
            whole = {
                hit.refusal.owner
                for hit in self.find(past.served)
                if hit.refusal.subject is Subject.RESOURCE
            }
            for owner in whole & memory.resources.keys():
                resources[owner] = proven.resources.get(owner) if proven is not None else None
            proxies[name] = self._disprove(past, proven.proxy if proven else None, bool(whole))
        return replace(memory, resources=updated(memory.resources, resources), proxies=proxies)

    def _disprove(
        self,
        past: ProxyMemory,
        proven: ProxyMemory | None,
        refused: bool,  # noqa: FBT001
    ) -> ProxyMemory:
        former = proven.good if proven is not None else {}
        good = {
            host: self._disprove_routes(routes, former.get(host, ()))
            for host, routes in past.good.items()
        }
        _, hits = self.mark(past.served)
        if not hits and not refused:
            return replace(past, good=good)
        if proven is None:
            return ProxyMemory(served=past.served, whole=False, good=good)
        return ProxyMemory(served=proven.served, whole=proven.whole, good=good)

    def _disprove_routes(
        self, routes: tuple[ir.Route, ...], former: tuple[ir.Route, ...]
    ) -> tuple[ir.Route, ...]:
        """Replace those of the good routes of a host that turned out to be refused."""
        if not any(self.refuses(group) for group in self._concerned(routes)):
            return routes
        proven = {group[0].identity: group for group in groups(former)}
        good: list[ir.Route] = []
        for group in groups(routes):
            if not self.refuses(group):
                good += group
            elif not self.refuses(last := proven.get(group[0].identity, ())):
                good += last
        return same(tuple(good), routes)

    def _mark_host(self, host: ir.VirtualHost, hits: list[Hit]) -> ir.VirtualHost:
        guilty: set[str] = set()
        for group in self._concerned(host.routes):
            refusal = self._refusal(group)
            if refusal is not None:
                guilty.add(group[0].identity)
                matches = tuple(route.match for route in group)
                hits.append(Hit(refusal=refusal, source=group[0].source, matches=matches))
        if not guilty:
            return host
        fault = rules.REFUSED_BY_ENVOY.code
        return replace(
            host,
            routes=tuple(
                replace(route, faults=tuple(sorted({*route.faults, fault})))
                if route.identity in guilty
                else route
                for route in host.routes
            ),
        )

    def _refusal(self, routes: tuple[ir.Route, ...]) -> Refusal | None:
        if not routes or not self._known(routes[0].source):
            return None
        known = self._by_owner[owner_of(routes[0].source)]
        return known.get((Subject.ROUTE, digest_routes(routes)))

    def _whole(self, source: ir.Source, subject: Subject, value: object) -> Iterator[Hit]:
        if self._known(source):
            refusal = self._by_owner[owner_of(source)].get((subject, digest(value)))
            if refusal is not None:
                yield Hit(refusal=refusal, source=source)

    def _backends(self, proxy: ir.Proxy, names: Container[str]) -> Iterator[Hit]:
        """Look at the clusters of resources with some names; there are thousands of others."""
        clusters = [cluster for cluster in proxy.clusters if cluster.source.name in names]
        for cluster in clusters:
            yield from self._whole(cluster.source, Subject.RESOURCE, cluster)
        sources = {cluster.name: cluster.source for cluster in clusters}
        for assignment in proxy.load_assignments if sources else ():
            source = sources.get(assignment.cluster)
            if source is not None:
                yield from self._whole(source, Subject.ENDPOINTS, assignment)

    def _concerned(self, routes: tuple[ir.Route, ...]) -> list[tuple[ir.Route, ...]]:
        """Group those of some routes that came from a resource of which anything is refused."""
        if self._owners.isdisjoint(self._route_owners.of(routes)):
            return []
        return groups(tuple(route for route in routes if self._known(route.source)))

    def _known(self, source: ir.Source) -> bool:
        return (source.kind, source.namespace, source.name) in self._owners


NO_REFUSALS: Final = Quarantine(())


def victims_of(hits: Iterable[Hit]) -> Mapping[tuple[ResourceRef, str], tuple[Hit, ...]]:
    """Group refused routes by the author's route."""
    found: defaultdict[tuple[ResourceRef, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        found[hit.refusal.owner, hit.source.route].append(hit)
    return {blame: tuple(those) for blame, those in found.items()}

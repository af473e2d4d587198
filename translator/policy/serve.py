from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from translator import ir
from translator.policy.memory import ProxyMemory
from translator.policy.mode import InvalidConfig, Mode
from translator.policy.quarantine import owner_of
from translator.policy.routes import WHOLE, groups, lost_share, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from translator.report import ResourceRef


class Outcome(StrEnum):
    """What became of an invalid route."""

    HELD = "held"
    """Its proxy keeps all of its last good routes."""
    KEPT = "kept"
    """Its own last good version is served."""
    REPLACED = "replaced"
    """It answers with the configured error."""
    LEFT_OUT = "left out"
    """It is not served: nobody knows which requests it matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Clusters with their load assignments, by name."""

    clusters: Mapping[str, ir.Cluster]
    assignments: Mapping[str, ir.LoadAssignment]

    @classmethod
    def of(
        cls, clusters: Iterable[ir.Cluster], assignments: Iterable[ir.LoadAssignment]
    ) -> Backends:
        """Index clusters and load assignments."""
        return cls(
            clusters={cluster.name: cluster for cluster in clusters},
            assignments={assignment.cluster: assignment for assignment in assignments},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one proxy is served, and why."""

    proxy: ir.Proxy
    """Every route is valid, and every cluster that a route needs is there."""
    memory: ProxyMemory
    """To be given to the next decision."""
    held: bool
    """Whether it keeps its last good routes and listeners."""
    invalid: tuple[ResourceRef, ...]
    """Its gateways and virtual services that are invalid as a whole, sorted; their last good
    versions stand in for them."""
    outcomes: Mapping[ir.Source, Outcome]
    """What became of each invalid route, sorted by source."""
    shares: Mapping[ir.Source, int]
    """Of the routes of which only some destinations were replaced, how many requests in a
    million meet these."""
    waiting: tuple[ir.Source, ...]
    """The tables whose valid changes wait because the proxy is held; sorted."""

    @property
    def needed(self) -> frozenset[str]:
        """The clusters that its routes, and the last good versions of its routes, lead to."""
        last_good = (route for group in self.memory.good.values() for route in group)
        return frozenset((*_needed(_routes(self.proxy)), *_needed(last_good)))


def serve(
    proxy: ir.Proxy,
    policy: InvalidConfig,
    memory: ProxyMemory | None,
    *,
    stale: frozenset[ResourceRef],
    spare: Backends,
    refused: Callable[[tuple[ir.Route, ...]], bool] = lambda _: False,
) -> Served:
    """
    Decide what a proxy is served.

    Args:
        proxy: The proxy as lowered.
        policy: The policy in force.
        memory: What is known of the past; None for a proxy that was never served.
        stale: Resources that are invalid as a whole; their last good versions stand in for them.
        spare: Upstreams that are gone or invalid, lowered from their last good version. A route
            that is held or kept may still need them, with endpoints as they are now.
        refused: Tells what Envoy does not take even in the place of an invalid route: if it
            refuses the matcher, then with every action.
    """
    past = (
        Backends.of(memory.served.clusters, memory.served.load_assignments)
        if memory is not None
        else Backends.of((), ())
    )
    there = (
        {cluster.name for cluster in proxy.clusters} | spare.clusters.keys() | past.clusters.keys()
    )
    before = {
        key: routes
        for key, routes in (memory.good if memory is not None else {}).items()
        if there.issuperset(_needed(routes))
    }
    good: dict[str, tuple[ir.Route, ...]] = {}
    outcomes: dict[ir.Source, Outcome] = {}
    shares = {
        route.source: share for route in _routes(proxy) if 0 < (share := lost_share(route)) < WHOLE
    }
    configurations = tuple(
        replace(
            configuration,
            virtual_hosts=tuple(
                _host(host, policy, before, good, outcomes, refused)
                for host in configuration.virtual_hosts
            ),
        )
        for configuration in proxy.route_configurations
    )
    invalid = tuple(sorted({ref for ref in _owners(proxy) if ref in stale}))
    valid = not outcomes and not invalid
    whole = memory is not None and memory.whole
    current = replace(proxy, route_configurations=configurations)
    waiting: tuple[ir.Source, ...] = ()
    held = memory is not None and whole and not valid and policy.mode is Mode.HOLD
    if held and memory is not None:
        waiting = _waiting(proxy, memory.served, outcomes)
        outcomes = dict.fromkeys(outcomes, Outcome.HELD)
        current = replace(
            proxy,
            listeners=memory.served.listeners,
            route_configurations=memory.served.route_configurations,
        )
    current = _with_backends(current, spare, past)
    return Served(
        proxy=current,
        memory=ProxyMemory(served=current, whole=whole or valid, good=good),
        held=held,
        invalid=invalid,
        outcomes={source: outcomes[source] for source in sorted(outcomes, key=_by_name)},
        shares=shares,
        waiting=waiting,
    )


def _host(
    host: ir.VirtualHost,
    policy: InvalidConfig,
    before: Mapping[str, tuple[ir.Route, ...]],
    good: dict[str, tuple[ir.Route, ...]],
    outcomes: dict[ir.Source, Outcome],
    refused: Callable[[tuple[ir.Route, ...]], bool],
) -> ir.VirtualHost:
    """Serve one virtual host, and note what is good and what was decided."""
    routes: list[ir.Route] = []
    for group in groups(host.routes):
        key = f"{host.name} {group[0].identity}"
        if all(route.valid for route in group):
            good[key] = group
            routes += group
            continue
        last = before.get(key)
        if last is not None:
            good[key] = last
        if last is not None and policy.mode is Mode.KEEP:
            stand_in, outcome = _renamed(last, group), Outcome.KEPT
        else:
            stand_in = tuple(entry for route in group for entry in replaced(route, policy))
            if refused(stand_in):
                stand_in = ()
            outcome = Outcome.REPLACED if stand_in else Outcome.LEFT_OUT
        routes += stand_in
        outcomes[group[0].source] = outcome
    return replace(host, routes=tuple(routes))


def _renamed(last: tuple[ir.Route, ...], group: tuple[ir.Route, ...]) -> tuple[ir.Route, ...]:
    """Name routes as they are named now; one without a name of its own goes by its place."""
    if len(last) != len(group):
        return last
    return tuple(
        replace(route, name=now.name, source=now.source)
        for route, now in zip(last, group, strict=True)
    )


def _waiting(
    wanted: ir.Proxy, past: ir.Proxy, outcomes: Mapping[ir.Source, Outcome]
) -> tuple[ir.Source, ...]:
    """Find the tables that have other valid routes than those that are held."""
    now, then = _routes_by_table(wanted), _routes_by_table(past)
    changed = {table for table in now.keys() | then.keys() if now.get(table) != then.get(table)}
    guilty = {replace(source, route="") for source in outcomes}
    return tuple(sorted(changed - guilty, key=_by_name))


def _routes_by_table(proxy: ir.Proxy) -> dict[ir.Source, list[ir.Route]]:
    tables: dict[ir.Source, list[ir.Route]] = {}
    for route in _routes(proxy):
        tables.setdefault(replace(route.source, route=""), []).append(route)
    return tables


def _with_backends(proxy: ir.Proxy, spare: Backends, past: Backends) -> ir.Proxy:
    """Add the clusters that the routes need and nothing defines any more."""
    there = {cluster.name for cluster in proxy.clusters}
    missing = sorted(set(_needed(_routes(proxy))) - there)
    if not missing:
        return proxy
    clusters = list(proxy.clusters)
    assignments = list(proxy.load_assignments)
    for name in missing:
        source = spare if name in spare.clusters else past
        clusters.append(source.clusters[name])
        if name in source.assignments:
            assignments.append(source.assignments[name])
    return replace(
        proxy,
        clusters=tuple(sorted(clusters, key=lambda cluster: cluster.name)),
        load_assignments=tuple(sorted(assignments, key=lambda assignment: assignment.cluster)),
    )


def _owners(proxy: ir.Proxy) -> Iterator[ResourceRef]:
    """List the gateways and virtual services of a proxy."""
    sources = [listener.source for listener in proxy.listeners if listener.source is not None]
    for configuration in proxy.route_configurations:
        sources += [host.source for host in configuration.virtual_hosts]
    for source in sources:
        yield owner_of(source)


def _routes(proxy: ir.Proxy) -> Iterator[ir.Route]:
    for configuration in proxy.route_configurations:
        for host in configuration.virtual_hosts:
            yield from host.routes


def _needed(routes: Iterable[ir.Route]) -> Iterator[str]:
    for route in routes:
        match route.action:
            case ir.Forward(destination=destination):
                yield destination.cluster
            case ir.Split(members=members):
                yield from (member.destination.cluster for member in members)


def _by_name(source: ir.Source) -> tuple[str, str, str, str]:
    return source.namespace, source.name, source.kind, source.route

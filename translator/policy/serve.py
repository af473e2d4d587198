from __future__ import annotations

from dataclasses import dataclass, replace
from operator import is_
from typing import TYPE_CHECKING

from translator.policy.decisions import Outcome, StandIns, Traits, clusters_of, decide
from translator.policy.memory import ProxyMemory
from translator.policy.mode import InvalidConfig, Mode
from translator.policy.owners import owner_of
from translator.policy.quarantine import NO_REFUSALS, Quarantine
from translator.reuse import changes, same, same_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator import ir
    from translator.policy.decisions import Backends, HostDecision
    from translator.report import ResourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one proxy is served, and why."""

    wanted: ir.Proxy
    """As it was lowered."""
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
    decisions: Mapping[tuple[str, str], HostDecision]
    """By route configuration and virtual host, what was decided by the policy alone."""
    traits: Mapping[tuple[str, str], Traits]
    """The same of the routes that are served."""
    added: tuple[str, ...]
    """The clusters that the routes need and nothing defines any more, sorted."""

    @property
    def needed(self) -> frozenset[str]:
        """The clusters that its routes, and the last good versions of its routes, lead to."""
        served = {id(traits.routes): traits.clusters for traits in self.traits.values()}
        others = (each for each in self.memory.good.values() if id(each) not in served)
        return frozenset[str]().union(*served.values(), *map(clusters_of, others))

    @property
    def as_written(self) -> int:
        """How many routes are served as they are written, counted in each domain."""
        every = sum(traits.written for traits in self.traits.values())
        guilty = (key for key, decision in self.decisions.items() if decision.outcomes)
        stand_ins = {
            (key, route.identity)
            for key in guilty
            if key in self.traits
            for route in self.traits[key].routes
            if route.source in self.outcomes
        }
        return every - len(stand_ins)


def serve(
    proxy: ir.Proxy,
    policy: InvalidConfig,
    memory: ProxyMemory | None,
    *,
    stale: frozenset[ResourceRef],
    spare: Backends,
    quarantine: Quarantine = NO_REFUSALS,
    before: Served | None = None,
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
        quarantine: What Envoy does not take even in the place of an invalid route.
        before: An earlier decision. Of what has not changed since it is used again; the result
            does not depend on it.
    """
    stand_ins = StandIns(proxy=proxy, memory=memory, spare=spare)
    known: Mapping[tuple[str, str], HostDecision] = before.decisions if before is not None else {}
    decisions = known
    if before is None or not _nothing_to_decide(proxy, before):
        decisions = {
            (configuration.name, host.name): decide(
                host, policy, stand_ins, quarantine, known.get((configuration.name, host.name))
            )
            for configuration in proxy.route_configurations
            for host in configuration.virtual_hosts
        }
    good = {host: decision.good for (_, host), decision in decisions.items()}
    outcomes = {
        source: outcome
        for decision in decisions.values()
        for source, outcome in decision.outcomes.items()
    }
    shares = {
        source: share
        for decision in decisions.values()
        for source, share in decision.shares.items()
    }
    invalid = tuple(sorted({ref for ref in _owners(proxy) if ref in stale}))
    valid = not outcomes and not invalid
    whole = memory is not None and memory.whole
    current = _with_hosts(proxy, decisions)
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
    traits = _traits(current, before)
    added = _missing(proxy, traits, before)
    if added:
        current = _with_backends(current, added, stand_ins)
    if before is not None:
        current = _reused(current, before.proxy, backends=bool(added))
    return Served(
        wanted=proxy,
        added=added,
        proxy=current,
        memory=ProxyMemory(served=current, whole=whole or valid, good=good),
        held=held,
        invalid=invalid,
        outcomes={source: outcomes[source] for source in sorted(outcomes, key=_by_name)},
        shares=shares,
        waiting=waiting,
        decisions=decisions,
        traits=traits,
    )


def _nothing_to_decide(proxy: ir.Proxy, before: Served) -> bool:
    """Tell whether all routes are those of an earlier time, and all of them were valid then."""
    same_routes = proxy.route_configurations is before.wanted.route_configurations
    return same_routes and not before.outcomes


def _with_hosts(proxy: ir.Proxy, decisions: Mapping[tuple[str, str], HostDecision]) -> ir.Proxy:
    configurations = []
    for configuration in proxy.route_configurations:
        hosts = tuple(
            decisions[configuration.name, host.name].served for host in configuration.virtual_hosts
        )
        if not all(map(is_, hosts, configuration.virtual_hosts)):
            configuration = replace(configuration, virtual_hosts=hosts)  # noqa: PLW2901
        configurations.append(configuration)
    if all(map(is_, configurations, proxy.route_configurations)):
        return proxy
    return replace(proxy, route_configurations=tuple(configurations))


def _traits(proxy: ir.Proxy, before: Served | None) -> Mapping[tuple[str, str], Traits]:
    known = before.traits if before is not None else {}
    if before is not None and proxy.route_configurations is before.proxy.route_configurations:
        return known
    return {
        (configuration.name, host.name): Traits.of(
            host.routes, known.get((configuration.name, host.name))
        )
        for configuration in proxy.route_configurations
        for host in configuration.virtual_hosts
    }


def _missing(
    proxy: ir.Proxy, traits: Mapping[tuple[str, str], Traits], before: Served | None
) -> tuple[str, ...]:
    """Find the clusters that the routes need and nothing defines any more."""
    if before is not None and before.wanted.clusters is proxy.clusters:
        changed = changes(traits, before.traits)
        now, then = _clusters_of(traits, changed), _clusters_of(before.traits, changed)
        # Where nothing was missing, all that was needed then is there.
        if not changed or (not before.added and now <= then):
            return before.added
    there = {cluster.name for cluster in proxy.clusters}
    return tuple(sorted({name for each in traits.values() for name in each.clusters - there}))


def _clusters_of(
    traits: Mapping[tuple[str, str], Traits], hosts: Iterable[tuple[str, str]]
) -> set[str]:
    return {name for host in hosts if host in traits for name in traits[host].clusters}


def _reused(proxy: ir.Proxy, old: ir.Proxy, *, backends: bool) -> ir.Proxy:
    """Take what is equal from an earlier proxy; of its backends only if some were added."""
    configurations = same_items(proxy.route_configurations, old.route_configurations)
    clusters, assignments = proxy.clusters, proxy.load_assignments
    if backends:
        clusters = same_items(clusters, old.clusters)
        assignments = same_items(assignments, old.load_assignments)
    return same(
        replace(
            proxy,
            route_configurations=configurations,
            clusters=clusters,
            load_assignments=assignments,
        ),
        old,
    )


def _waiting(
    wanted: ir.Proxy, past: ir.Proxy, outcomes: Mapping[ir.Source, Outcome]
) -> tuple[ir.Source, ...]:
    """Find the tables that have other valid routes than those that are held."""
    now, then = _routes_by_host(wanted), _routes_by_host(past)
    changed: set[ir.Source] = set()
    for key in now.keys() | then.keys():
        new, old = now.get(key, ()), then.get(key, ())
        if new is not old:
            tables, former = _by_table(new), _by_table(old)
            names = tables.keys() | former.keys()
            changed.update(name for name in names if tables.get(name) != former.get(name))
    guilty = {replace(source, route="") for source in outcomes}
    return tuple(sorted(changed - guilty, key=_by_name))


def _routes_by_host(proxy: ir.Proxy) -> dict[tuple[str, str], tuple[ir.Route, ...]]:
    return {
        (configuration.name, host.name): host.routes
        for configuration in proxy.route_configurations
        for host in configuration.virtual_hosts
    }


def _by_table(routes: tuple[ir.Route, ...]) -> dict[ir.Source, list[ir.Route]]:
    """Group routes by the table that they were written in."""
    tables: dict[tuple[str, str, str], list[ir.Route]] = {}
    for route in routes:
        source = route.source
        tables.setdefault((source.kind, source.namespace, source.name), []).append(route)
    return {replace(those[0].source, route=""): those for those in tables.values()}


def _with_backends(proxy: ir.Proxy, missing: Iterable[str], stand_ins: StandIns) -> ir.Proxy:
    """Add clusters that routes need, with their endpoints."""
    clusters = list(proxy.clusters)
    assignments = list(proxy.load_assignments)
    for name in missing:
        source = stand_ins.spare if name in stand_ins.spare.clusters else stand_ins.backends
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


def _by_name(source: ir.Source) -> tuple[str, str, str, str]:
    return source.namespace, source.name, source.kind, source.route

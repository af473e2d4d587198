"""What each virtual host is served: the decision about one route at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from translator import ir
from translator.policy.mode import InvalidConfig, Mode
from translator.policy.routes import WHOLE, groups, lost_share, replaced
from translator.reuse import same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator.policy.memory import ProxyMemory
    from translator.policy.quarantine import Quarantine


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


@dataclass(frozen=True, kw_only=True)
class StandIns:
    """What may stand in for what is invalid, looked up when it is needed."""

    proxy: ir.Proxy
    """The proxy as it is wanted now."""
    memory: ProxyMemory | None
    spare: Backends
    """Upstreams that are gone or invalid, lowered from their last good version."""

    @cached_property
    def backends(self) -> Backends:
        """The clusters that the proxy was served last."""
        if self.memory is None:
            return Backends.of((), ())
        served = self.memory.served
        return Backends.of(served.clusters, served.load_assignments)

    @cached_property
    def clusters(self) -> frozenset[str]:
        """The names of all clusters that a route may lead to."""
        there = {cluster.name for cluster in self.proxy.clusters}
        return frozenset(there | self.spare.clusters.keys() | self.backends.clusters.keys())

    def good(self, host: str) -> tuple[ir.Route, ...]:
        """Return the last good routes of a virtual host."""
        return self.memory.good.get(host, ()) if self.memory is not None else ()

    def grounds(self, host: str) -> tuple[object, ...]:
        """Return all on which it depends what may stand in for the routes of a virtual host."""
        served = self.memory.served.clusters if self.memory is not None else ()
        return self.good(host), self.proxy.clusters, tuple(self.spare.clusters), served

    def usable(self, host: str) -> dict[str, tuple[ir.Route, ...]]:
        """Return those of them that can still be served, by identity."""
        return {
            group[0].identity: group
            for group in groups(self.good(host))
            if self.clusters.issuperset(_needed(group))
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What has to be known of the routes of a virtual host."""

    routes: tuple[ir.Route, ...]
    written: int
    """How many written routes they stand for."""
    clusters: frozenset[str]
    """The clusters that they lead to."""

    @classmethod
    def of(cls, routes: tuple[ir.Route, ...], known: Traits | None) -> Traits:
        """Look through routes, unless they are known."""
        if known is not None and known.routes is routes:
            return known
        written = len({route.identity for route in routes})
        return cls(routes=routes, written=written, clusters=clusters_of(routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDecision:
    """What one virtual host is served, and why."""

    wanted: ir.VirtualHost
    served: ir.VirtualHost
    good: tuple[ir.Route, ...]
    """The last good version of each of its routes, one Envoy route for each matcher."""
    grounds: tuple[object, ...] = ()
    """On what else it depends if any route is invalid."""
    outcomes: Mapping[ir.Source, Outcome] = field(default_factory=dict)
    """What became of each invalid route."""
    shares: Mapping[ir.Source, int] = field(default_factory=dict)
    """Of the routes that are served in part, how many requests in a million meet an error."""


def decide(
    host: ir.VirtualHost,
    policy: InvalidConfig,
    stand_ins: StandIns,
    quarantine: Quarantine,
    known: HostDecision | None,
) -> HostDecision:
    """
    Decide what a virtual host is served.

    Args:
        host: The host as it is wanted; its routes may be invalid.
        policy: The policy in force.
        stand_ins: What may stand in.
        quarantine: What Envoy does not take even in the place of an invalid route: if it refuses
            the matcher, then with every action.
        known: An earlier decision, used again if it would be the same.
    """
    if known is not None and known.wanted is host and not known.outcomes:
        return known
    if all(route.valid for route in host.routes):
        return HostDecision(wanted=host, served=host, good=host.routes)
    grounds = (policy, quarantine.refusals, *stand_ins.grounds(host.name))
    if known is not None and known.wanted == host and known.grounds == grounds:
        return known
    before = stand_ins.usable(host.name)
    routes: list[ir.Route] = []
    good: list[ir.Route] = []
    outcomes: dict[ir.Source, Outcome] = {}
    for group in groups(host.routes):
        if all(route.valid for route in group):
            good += group
            routes += group
            continue
        last = before.get(group[0].identity)
        if last is not None:
            good += last
        if last is not None and policy.mode is Mode.KEEP:
            stand_in, outcome = _renamed(last, group), Outcome.KEPT
        else:
            stand_in = tuple(entry for route in group for entry in replaced(route, policy))
            if quarantine.refuses(stand_in):
                stand_in = ()
            outcome = Outcome.REPLACED if stand_in else Outcome.LEFT_OUT
        routes += stand_in
        outcomes[group[0].source] = outcome
    served = replace(host, routes=tuple(routes))
    return HostDecision(
        wanted=host,
        served=same(served, known.served if known is not None else None),
        good=same(tuple(good), stand_ins.good(host.name)),
        grounds=grounds,
        outcomes=outcomes,
        shares={
            route.source: share for route in host.routes if 0 < (share := lost_share(route)) < WHOLE
        },
    )


def _renamed(last: tuple[ir.Route, ...], group: tuple[ir.Route, ...]) -> tuple[ir.Route, ...]:
    """Name routes as they are named now; one without a name of its own goes by its place."""
    if len(last) != len(group):
        return last
    return tuple(
        replace(route, name=now.name, source=now.source)
        for route, now in zip(last, group, strict=True)
    )


def clusters_of(routes: Iterable[ir.Route]) -> frozenset[str]:
    """Return the clusters that routes lead to."""
    return frozenset(_needed(routes))


def _needed(routes: Iterable[ir.Route]) -> Iterator[str]:
    for route in routes:
        action = route.action
        if isinstance(action, ir.Forward):
            yield action.destination.cluster
        elif isinstance(action, ir.Split):
            for member in action.members:
                yield member.destination.cluster

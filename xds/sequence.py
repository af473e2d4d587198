"""
Make before break: what of a snapshot a client is given now, and what has to wait.

Envoy acknowledges clusters when they are warm, and does not warm routes: a route to a cluster that
is not there answers 503 (rules 80, 87). So an update that adds and removes clusters goes out as

    all clusters, old and new, and their endpoints
    -> the client acknowledges them
    -> listeners and routes
    -> the client acknowledges them
    -> the clusters that nothing needs any more are removed

and no step waits for ever: an acknowledgement may be skipped (rules 80 to 82, 88).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xds.delivery import Delivery
    from xds.snapshot import Resource, Snapshot
    from xds.timing import Timing

WAIT_FOR_CLUSTERS: Final = frozenset({LISTENER, ROUTE_CONFIGURATION})
"""The types that may have to wait for clusters that the client does not have yet."""


class Sequence:
    """The sequencer of one stream."""

    __slots__ = (
        "_before",
        "_deliveries",
        "_lingering_since",
        "_older_there",
        "_resuming_since",
        "_timing",
        "_waiting_since",
    )

    def __init__(self, deliveries: Mapping[str, Delivery], timing: Timing) -> None:
        self._deliveries = deliveries
        self._timing = timing
        self._waiting_since: dict[tuple[str, str], float] = {}
        """When a listener or route configuration began to wait for clusters."""
        self._lingering_since: dict[str, float] = {}
        """When a removed cluster began to wait for routes."""
        self._resuming_since: float | None = None
        """Since when a client is back that may have routes of an earlier stream."""
        self._before: Snapshot | None = None
        """What it was served there, if that is not for the client to say."""
        self._older_there = False
        """Whether a view has clusters of an earlier stream."""

    def lingering(self, snapshot: Snapshot, type_url: str, now: float) -> Mapping[str, Resource]:
        """Return what the client may keep for some time though it has left the snapshot."""
        if type_url not in {CLUSTER, LOAD_ASSIGNMENT}:
            return {}
        clusters = {**self._older(snapshot), **self._lingering(snapshot, now)}
        return self._endpoints_of(clusters) if type_url == LOAD_ASSIGNMENT else clusters

    def lingers(self, type_url: str) -> bool:
        """Tell whether a view of this type has more than the snapshot."""
        lingering = self._lingering_since or self._older_there
        return bool(lingering) and type_url in {CLUSTER, LOAD_ASSIGNMENT}

    def resume(self, now: float, before: Snapshot | None = None) -> None:
        """
        Let clusters outlive the routes that a client has from an earlier stream.

        Which those are is not known, so that nothing is removed before it has the newest routes
        (rule 88).

        Args:
            now: The time.
            before: What it was served there, as far as that is known and not for it to say.
        """
        self._resuming_since = now if self._resuming_since is None else self._resuming_since
        self._before = before

    @property
    def resuming(self) -> bool:
        """Tell whether a client may have routes of an earlier stream."""
        return self._resuming_since is not None

    def catch_up(self, snapshot: Snapshot, now: float) -> None:
        """Notice that a client that is back has the newest routes, or was waited for enough."""
        since = self._resuming_since
        if since is not None and (
            self._has_newest_routes(snapshot) or now >= since + self._timing.prune
        ):
            self._resuming_since = self._before = None

    def holds_back(self, snapshot: Snapshot, resource: Resource, now: float) -> bool:
        """
        Tell whether a listener or route configuration has to wait for clusters.

        One that is changed waits until they are warm. A client that has nothing yet of that name
        has no traffic to lose, and a listener that waits for its first routes would soon start
        without them: there it is enough that the clusters were sent before (rule 78).
        """
        if resource.type_url not in WAIT_FOR_CLUSTERS:
            return False
        key = resource.type_url, resource.name
        if not self._lacks_clusters(snapshot, resource):
            self._waiting_since.pop(key, None)
            return False
        return now < self._waiting_since.setdefault(key, now) + self._timing.barrier

    def sent(self, type_url: str, names: Iterable[str]) -> None:
        """Note that resources went out, so that their next versions may wait anew."""
        if self._waiting_since:
            for name in names:
                self._waiting_since.pop((type_url, name), None)

    def deadlines(self) -> Iterator[float]:
        """Yield when something will have waited long enough."""
        for since in self._waiting_since.values():
            yield since + self._timing.barrier
        for since in self._lingering_since.values():
            yield since + self._timing.prune
        if self._resuming_since is not None:
            yield self._resuming_since + self._timing.prune

    def _lacks_clusters(self, snapshot: Snapshot, resource: Resource) -> bool:
        needed: Iterable[str] = resource.requires
        if resource.type_url == LISTENER:
            routes = snapshot.resources(ROUTE_CONFIGURATION)
            needed = {
                cluster
                for name in resource.requires
                if name in routes
                for cluster in routes[name].requires
            }
        clusters = self._deliveries.get(CLUSTER)
        if clusters is None or self._all_ready(snapshot, clusters, needed):
            return False
        if self._deliveries[resource.type_url].holds(resource.name):
            return not all(self._ready(snapshot, clusters, name) for name in needed)
        held = clusters.held
        unsent = [name for name in needed if held.get(name) is None]
        return not all(self._does_without(snapshot, clusters, name) for name in unsent)

    def _all_ready(self, snapshot: Snapshot, clusters: Delivery, names: Iterable[str]) -> bool:
        """
        Tell at a glance whether the client has acknowledged the newest of all clusters.

        That is nearly always so, and a route configuration may need thousands.
        """
        newest, acked = snapshot.resources(CLUSTER), clusters.acked
        return all(map(operator.is_, map(newest.get, names), map(acked.get, names)))

    def _does_without(self, snapshot: Snapshot, clusters: Delivery, name: str) -> bool:
        """Tell whether the client will not be sent a cluster, so that there is no use waiting."""
        if name not in snapshot.resources(CLUSTER):
            return True
        return not clusters.subscription.wants(name) or name in clusters.blocked

    def _ready(self, snapshot: Snapshot, clusters: Delivery, name: str) -> bool:
        """Tell whether the client has a cluster, in its current version, and it is warm."""
        current = snapshot.get(CLUSTER, name)
        if current is None or not clusters.subscription.wants(name):
            return True
        acked = clusters.acked.get(name)
        if acked is None:
            return False
        # A refused update leaves the client with a warm cluster of the version before.
        return current.version == acked.version or (name, current.version) in clusters.refused

    def _lingering(self, snapshot: Snapshot, now: float) -> Mapping[str, Resource]:
        """
        Return the clusters that have left the snapshot, but not yet the client's routes.

        A client that names its clusters says itself when it does without one. gRPC acknowledges
        routes before it uses them: their clusters and endpoints are yet to come.
        """
        clusters = self._deliveries.get(CLUSTER)
        routes = self._deliveries.get(ROUTE_CONFIGURATION)
        gone = frozenset() if clusters is None else _gone(clusters, snapshot.resources(CLUSTER))
        if clusters is None or routes is None or not gone:
            self._lingering_since = {}
            return {}
        if clusters.subscription.wildcard:
            gone &= {name for resource in routes.in_use() for name in resource.requires}
        used = {name: clusters.in_use_of(name) for name in sorted(gone)}
        known = {name: resource for name, resource in used.items() if resource is not None}
        self._lingering_since = {name: self._lingering_since.get(name, now) for name in known}
        return {
            name: known[name]
            for name, since in self._lingering_since.items()
            if now < since + self._timing.prune
        }

    def _older(self, snapshot: Snapshot) -> Mapping[str, Resource]:
        """Return the clusters that have left the snapshot while the client was away."""
        self._older_there = False
        if self._before is None:
            return {}
        there = self._before.resources(CLUSTER)
        routes = self._before.resources(ROUTE_CONFIGURATION).values()
        needed = {name for resource in routes for name in resource.requires}
        gone = needed & there.keys() - snapshot.resources(CLUSTER).keys()
        self._older_there = bool(gone)
        return {name: there[name] for name in gone}

    def _has_newest_routes(self, snapshot: Snapshot) -> bool:
        routes = self._deliveries.get(ROUTE_CONFIGURATION)
        if routes is None or not routes.started:
            # A client that comes back asks for all it has before it reads the first answer.
            return any(each.acked_version or each.rejection for each in self._deliveries.values())
        newest = snapshot.resources(ROUTE_CONFIGURATION)
        return all(
            name in routes.acked and routes.acked[name].version == newest[name].version
            for name in routes.subscription.names & newest.keys()
        )

    def _endpoints_of(self, clusters: Mapping[str, Resource]) -> Mapping[str, Resource]:
        if not clusters:
            return {}
        endpoints = self._deliveries.get(LOAD_ASSIGNMENT)
        before = {} if self._before is None else self._before.resources(LOAD_ASSIGNMENT)
        found: dict[str, Resource] = {}
        for name in sorted({name for cluster in clusters.values() for name in cluster.requires}):
            used = None if endpoints is None else endpoints.in_use_of(name)
            known = used or before.get(name)
            if known is not None:
                found[name] = known
        return found


def _gone(clusters: Delivery, there: Mapping[str, Resource]) -> set[str]:
    """Return the clusters that a client was told of and that are there no longer."""
    if clusters.due is None or not clusters.subscription.wildcard:
        return clusters.held.keys() - there.keys()
    # What leaves is looked at until it is removed.
    return {name for name in clusters.due if name in clusters.held and name not in there}

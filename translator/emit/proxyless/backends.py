"""
From clusters with subsets to clusters without: gRPC balances over all endpoints of a cluster.

Which endpoints answer for a destination is Envoy's decision for each request (`LbSubsetConfig`,
Envoy's documentation "Load balancer subsets"). Here it is made once for each destination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never
from urllib.parse import quote

from translator import ir

Endpoints: TypeAlias = tuple[ir.Endpoint, ...]

_SAFE: Final = "-._~"
_MAX_WEIGHT: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A cluster as gRPC can have one."""

    name: str
    host: ir.Endpoint | None
    """The only endpoint, which has a name that the client resolves; None if it is told all."""
    source: ir.Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of what is sent to a destination."""

    backend: Backend
    assignment: ir.LoadAssignment | None
    """What answers, each address once, nothing if calls are to fail; None for a host."""
    weight: int
    """Relative to the other shares of the destination; 1 or more."""


def shares(
    cluster: ir.Cluster, discovered: Endpoints, destination: ir.Destination
) -> tuple[Share, ...]:
    """
    Divide what is sent to a destination among clusters; to one, unless its hosts are names.

    A cluster of gRPC that resolves a name has exactly one (gRFC A37), so each host becomes a
    cluster, and its weight a share.

    Args:
        cluster: The cluster of the destination.
        discovered: The endpoints of the cluster, if it has not got them itself.
        destination: The cluster and the labels.
    """
    endpoints = _endpoints(cluster.discovery, discovered)
    chosen = _distinct(select(endpoints, cluster.subsets, destination.subset))
    if isinstance(cluster.discovery, ir.DnsHosts) and chosen:
        return tuple(
            Share(
                backend=Backend(
                    name=f"{cluster.name}#{endpoint.address}:{endpoint.port}",
                    host=ir.Endpoint(address=endpoint.address, port=endpoint.port),
                    source=cluster.source,
                ),
                assignment=None,
                weight=endpoint.weight or 1,
            )
            for endpoint in chosen
        )
    subset = destination.subset if cluster.subsets is not None else ()
    backend = Backend(name=name(cluster.name, subset), host=None, source=cluster.source)
    assignment = ir.LoadAssignment(cluster=backend.name, endpoints=chosen)
    return (Share(backend=backend, assignment=assignment, weight=1),)


def select(endpoints: Endpoints, subsets: ir.Subsets | None, wanted: ir.Labels) -> Endpoints:
    """
    Choose the endpoints that answer, as Envoy does.

    The fallback decides where no endpoint has the labels, and also where none are asked for or no
    selector has their keys; without subsets labels mean nothing.
    """
    if subsets is None:
        return endpoints
    keys = tuple(key for key, _ in wanted)
    for selector in subsets.selectors:
        if wanted and selector.keys == keys:
            chosen = _with(endpoints, wanted)
            if chosen:
                return chosen[:1] if selector.single_host_per_subset else chosen
    match subsets.fallback:
        case ir.FallbackPolicy.ANY_ENDPOINT:
            return endpoints
        case ir.FallbackPolicy.DEFAULT_SUBSET:
            return _with(endpoints, subsets.default)
        case ir.FallbackPolicy.NO_FALLBACK:
            return ()
        case _:
            assert_never(subsets.fallback)


def name(cluster: str, subset: ir.Labels) -> str:
    """
    Name the cluster of a destination, such as `echo_gloo-system?version=v1`.

    Labels are quoted as in a URL, so that no two sets of them make one name; the names of upstreams
    hold no question mark.
    """
    if not subset:
        return cluster
    pairs = (f"{quote(key, safe=_SAFE)}={quote(value, safe=_SAFE)}" for key, value in subset)
    return f"{cluster}?{'&'.join(pairs)}"


def _endpoints(discovery: ir.Discovery, discovered: Endpoints) -> Endpoints:
    """
    Tell which endpoints a cluster has.

    A Unix socket is on Envoy's machine, not on the client's, so a cluster that has one has none.
    """
    match discovery:
        case ir.EndpointDiscovery():
            return discovered
        case ir.StaticHosts(endpoints=endpoints) | ir.DnsHosts(endpoints=endpoints):
            return endpoints
        case ir.Pipe():
            return ()
        case _:
            assert_never(discovery)


def _with(endpoints: Endpoints, labels: ir.Labels) -> Endpoints:
    wanted = set(labels)
    return tuple(endpoint for endpoint in endpoints if wanted <= set(endpoint.labels))


def _distinct(endpoints: Endpoints) -> Endpoints:
    """
    Make one of those with the same address, which gRPC would refuse.

    To Envoy they are as many hosts, so it has the weight of all.
    """
    found: dict[tuple[str, int], ir.Endpoint] = {}
    for endpoint in endpoints:
        key = endpoint.address, endpoint.port
        if key in found:
            weight = (found[key].weight or 1) + (endpoint.weight or 1)
            found[key] = replace(found[key], weight=min(weight, _MAX_WEIGHT))
        else:
            found[key] = endpoint
    return tuple(found.values())

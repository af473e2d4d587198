"""Laws of the dialect for gRPC clients, over generated proxies."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from support.ir_strategies import served_proxies

from translator import ir
from translator.emit import emit
from translator.emit.proxyless import emit_proxyless, proxyless
from xds.messages import parse
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

pytestmark = pytest.mark.slow

LOGICAL_DNS = 2
"""`envoy.config.cluster.v3.Cluster.DiscoveryType`."""

bounded = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def encode(proxy):
    return emit_proxyless(proxyless(proxy))


def decoded(snapshot, type_url):
    kind = type_url.rpartition("/")[2]
    return {name: parse(kind, it.body) for name, it in snapshot.resources(type_url).items()}


def clusters_of(route):
    if route.WhichOneof("action") != "route":
        return []
    action = route.route
    if action.WhichOneof("cluster_specifier") == "cluster":
        return [action.cluster]
    return [each.name for each in action.weighted_clusters.clusters]


@bounded
@given(proxy=served_proxies)
def test_everything_that_is_referred_to_is_there(proxy):
    """Each name has its routes, each destination its cluster, each cluster its endpoints."""
    snapshot = encode(proxy)

    routes = decoded(snapshot, ROUTE_CONFIGURATION).values()
    wanted = {
        name
        for configuration in routes
        for host in configuration.virtual_hosts
        for route in host.routes
        for name in clusters_of(route)
    }

    assert () == snapshot.inconsistencies()
    assert wanted == set(snapshot.resources(CLUSTER))


@bounded
@given(proxy=served_proxies)
def test_grpc_understands_every_field(proxy):
    """
    What gRPC's client would refuse is never emitted.

    A listener is for calls; a name is exact and among the domains of its routes; a cluster is EDS
    or one name; each address comes once; a locality is there and weighs something, and no sum is
    beyond 32 bits (gRFC A27, A28, A37, A44).
    """
    snapshot = encode(proxy)

    for name, listener in decoded(snapshot, LISTENER).items():
        assert "*" not in name
        assert listener.HasField("api_listener")
        assert not listener.HasField("address")
        (routes,) = snapshot.get(LISTENER, name).requires
        configuration = decoded(snapshot, ROUTE_CONFIGURATION)[routes]
        assert [name] == [
            domain
            for host in configuration.virtual_hosts
            for domain in host.domains
            if domain == name
        ]
    for configuration in decoded(snapshot, ROUTE_CONFIGURATION).values():
        for route in (route for host in configuration.virtual_hosts for route in host.routes):
            assert route.WhichOneof("action") in {"route", "redirect", "direct_response"}
            assert not route.match.query_parameters
            assert ":method" not in {header.name for header in route.match.headers}
            if route.route.HasField("retry_policy"):
                assert route.route.retry_policy.num_retries.value > 0
            weights = [each.weight.value for each in route.route.weighted_clusters.clusters]
            assert not weights or 0 < sum(weights) < 2**32
    for name, cluster in decoded(snapshot, CLUSTER).items():
        if cluster.type == LOGICAL_DNS:
            (locality,) = cluster.load_assignment.endpoints
            assert 1 == len(locality.lb_endpoints)
        else:
            assert cluster.eds_cluster_config.eds_config.HasField("ads")
            assert name in snapshot.resources(LOAD_ASSIGNMENT)
    for assignment in decoded(snapshot, LOAD_ASSIGNMENT).values():
        addresses = Counter(
            (endpoint.endpoint.address.socket_address.address, port(endpoint))
            for locality in assignment.endpoints
            for endpoint in locality.lb_endpoints
        )
        assert all(number == 1 for number in addresses.values())
        assert all(locality.HasField("locality") for locality in assignment.endpoints)
        assert all(locality.load_balancing_weight.value for locality in assignment.endpoints)
        assert sum(it.load_balancing_weight.value for it in assignment.endpoints) < 2**32
        zones = [locality.locality.sub_zone for locality in assignment.endpoints]
        assert len(zones) == len(set(zones))


def port(endpoint):
    return endpoint.endpoint.address.socket_address.port_value


@bounded
@given(proxy=served_proxies)
def test_a_subset_has_the_endpoints_with_its_labels(proxy):
    """
    A call goes to an endpoint that Envoy could choose, and each of those gets calls.

    Told here once more: those with all labels, if a selector has their keys and any endpoint has
    them; else what the fallback says.
    """
    calls = proxyless(proxy)
    answers = {it.name: (it.host,) for it in calls.backends if it.host is not None}
    answers |= {it.cluster: it.endpoints for it in calls.load_assignments}
    clusters = {cluster.name: cluster for cluster in proxy.clusters}
    written = {
        host.name: [route for route in host.routes if takes_calls(route)]
        for configuration in proxy.route_configurations
        for host in configuration.virtual_hosts
    }
    for configuration in calls.route_configurations:
        (host,) = configuration.virtual_hosts
        for before, after in zip(written[host.name], host.routes, strict=True):
            expected: list[ir.Endpoint] = []
            for destination in destinations(before):
                expected += answering(clusters[destination.cluster], proxy, destination)
            actual = [
                endpoint
                for destination in destinations(after)
                for endpoint in answers[destination.cluster]
            ]

            assert not any(destination.subset for destination in destinations(after))
            assert places(expected) == places(actual)


def takes_calls(route):
    methods = route.match.methods
    return not route.match.query and (not methods or "POST" in methods)


def destinations(route):
    match route.action:
        case ir.Forward(destination=destination):
            return [destination]
        case ir.Split(members=members):
            return [member.destination for member in members]
    return []


def places(endpoints):
    return {(endpoint.address, endpoint.port) for endpoint in endpoints}


def answering(cluster, proxy, destination):
    match cluster.discovery:
        case ir.EndpointDiscovery():
            (given,) = [it.endpoints for it in proxy.load_assignments if it.cluster == cluster.name]
        case ir.Pipe():
            given = ()
        case hosts:
            given = hosts.endpoints
    if cluster.subsets is None:
        return list(given)
    keys = {key for key, _ in destination.subset}
    chosen = [it for it in given if dict(it.labels) | dict(destination.subset) == dict(it.labels)]
    for selector in cluster.subsets.selectors:
        if chosen and set(selector.keys) == keys:
            return chosen[:1] if selector.single_host_per_subset else chosen
    match cluster.subsets.fallback:
        case ir.FallbackPolicy.ANY_ENDPOINT:
            return list(given)
        case ir.FallbackPolicy.NO_FALLBACK:
            return []
    default = cluster.subsets.default
    return [it for it in given if dict(it.labels) | dict(default) == dict(it.labels)]


@bounded
@given(proxy=served_proxies)
def test_envoys_are_served_as_before(proxy):
    """The dialect shares no name of a listener or of routes with what Envoys get."""
    theirs, ours = emit(proxy), encode(proxy)

    for type_url in (LISTENER, ROUTE_CONFIGURATION):
        assert not theirs.resources(type_url).keys() & ours.resources(type_url).keys()

"""What becomes of each thing that Envoy can do and gRPC cannot, or does otherwise."""

from __future__ import annotations

import itertools

import pytest

from translator import ir
from translator.emit.proxyless import emit_proxyless, proxyless
from translator.emit.proxyless.backends import name, select
from xds.messages import parse
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

SOURCE = ir.Source(kind="VirtualService", namespace="ns", name="app")
V1, V2, V3 = ((("version", value),) for value in ("v1", "v2", "v3"))
ALL = ir.Forward(destination=ir.Destination(cluster="cart_ns"))


def endpoint(number, labels=(), weight=None, port=80):
    return ir.Endpoint(address=f"10.0.0.{number}", port=port, labels=labels, weight=weight)


ONE, TWO, THREE = endpoint(1, V1), endpoint(2, V1), endpoint(3, V2)


def subsets(fallback, default=(), *, single=False):
    selector = ir.SubsetSelector(keys=("version",), single_host_per_subset=single)
    return ir.Subsets(selectors=(selector,), fallback=ir.FallbackPolicy(fallback), default=default)


def route(action=ALL, *, options=None, **match):
    path = ir.PathMatch(kind=ir.PathKind.PREFIX, value="/")
    return ir.Route(
        name="r",
        identity="r",
        match=ir.Match(path=path, **match),
        action=action,
        options=options or ir.Options(),
        source=SOURCE,
    )


def host(name, *domains, routes=None):
    every = (route(),) if routes is None else tuple(routes)
    return ir.VirtualHost(name=name, domains=domains, routes=every, source=SOURCE)


def proxy(*hosts, discovery=None, subsets=None, listeners=None):
    """A proxy with one cluster, and listeners with their hosts by port; one on 8080 if not told."""
    listeners = listeners or {8080: hosts}
    return ir.Proxy(
        name="p",
        listeners=tuple(
            ir.Listener(name=f"l{port}", address="::", port=port, routes=f"r{port}", source=None)
            for port in sorted(listeners, key=str)
        ),
        route_configurations=tuple(
            ir.RouteConfiguration(name=f"r{port}", virtual_hosts=tuple(listeners[port]))
            for port in sorted(listeners, key=str)
        ),
        clusters=(
            ir.Cluster(
                name="cart_ns",
                discovery=discovery or ir.StaticHosts(endpoints=(ONE, TWO, THREE)),
                subsets=subsets,
                source=SOURCE,
            ),
        ),
        load_assignments=(),
    )


def emitted(proxy, type_url):
    kind = type_url.rpartition("/")[2]
    found = emit_proxyless(proxyless(proxy)).resources(type_url)
    return {name: parse(kind, resource.body) for name, resource in found.items()}


def only_route(action=ALL, **options):
    (configuration,) = emitted(
        proxy(host("h", "a.test", routes=[route(action, **options)])), ROUTE_CONFIGURATION
    ).values()
    return list(configuration.virtual_hosts[0].routes)


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (["a.test"], ["a.test", "a.test:80", "a.test:8080"]),
        (["a.test:9000"], ["a.test:9000"]),
        (["a.test", "a.test:80"], ["a.test", "a.test:80", "a.test:8080"]),
        (["[::1]"], ["[::1]", "[::1]:80", "[::1]:8080"]),
        (["[::1]:9"], ["[::1]:9"]),
        (["*.a.test", "a.*", "*"], []),
    ],
)
def test_rule_130_names_to_dial(domains, expected):
    """
    A domain is a name as written; one without a port also with the ports of HTTP and the listener.

    A name is among the domains of its routes, where the client looks for it; wildcards are none.
    """
    served = proxy(host("h", *domains))

    assert expected == list(emitted(served, LISTENER))
    for configuration in emitted(served, ROUTE_CONFIGURATION).values():
        (found,) = configuration.virtual_hosts
        assert {*domains, *expected} == set(found.domains)


def test_written_port_comes_first():
    """A name with a port belongs to whoever wrote it, not to the domain without one."""
    found = emit_proxyless(proxyless(proxy(host("a", "x.test"), host("b", "x.test:80"))))

    assert {
        "x.test": "r8080/a",
        "x.test:80": "r8080/b",
        "x.test:8080": "r8080/a",
    } == {name: next(iter(it.requires)) for name, it in found.resources(LISTENER).items()}


def test_lowest_port_decides():
    """Where listeners have different hosts for a domain, each port leads to its own."""
    served = proxy(listeners={10000: [host("a", "x.test")], 9000: [host("b", "x.test")]})

    found = emit_proxyless(proxyless(served))

    assert {
        "x.test": "r9000/b",
        "x.test:80": "r9000/b",
        "x.test:9000": "r9000/b",
        "x.test:10000": "r10000/a",
    } == {name: next(iter(it.requires)) for name, it in found.resources(LISTENER).items()}


@pytest.mark.parametrize(
    ("subsets", "wanted", "expected"),
    [
        (None, V2, [ONE, TWO, THREE]),
        (subsets("NO_FALLBACK"), V1, [ONE, TWO]),
        (subsets("NO_FALLBACK", single=True), V1, [ONE]),
        (subsets("NO_FALLBACK"), V3, []),
        (subsets("ANY_ENDPOINT"), V3, [ONE, TWO, THREE]),
        (subsets("DEFAULT_SUBSET", V2), V3, [THREE]),
        (subsets("DEFAULT_SUBSET", V3), V3, []),
        (subsets("NO_FALLBACK"), (), []),
        (subsets("ANY_ENDPOINT"), (), [ONE, TWO, THREE]),
        (subsets("DEFAULT_SUBSET", V1), (), [ONE, TWO]),
        (subsets("DEFAULT_SUBSET", V1), (("stage", "x"), *V2), [ONE, TWO]),
    ],
)
def test_which_endpoints_answer(subsets, wanted, expected):
    """Envoy's choice for a subset, and its fallback, which also answers where none is asked for."""
    assert tuple(expected) == select((ONE, TWO, THREE), subsets, wanted)


def test_names_of_subsets_differ():
    """Each set of labels makes a name of its own, whatever stands in them."""
    texts = ["", "a", "b", "=", "&", "%", "?", "a=b", "a&b", "%3D", "ü", " "]
    sets = [((key, value),) for key, value in itertools.product(texts, texts)]
    sets += [(("a", one), ("b", other)) for one, other in itertools.product(texts, texts)]

    assert len(sets) == len({name("cart_ns", labels) for labels in sets})
    assert "cart_ns" == name("cart_ns", ())
    assert "cart_ns?stage=a%2Fb&version=v1" == name("cart_ns", (("stage", "a/b"), *V1))


def test_rule_131_clusters():
    """A cluster is EDS, also of static addresses; a host with a name is one of its own."""
    hosts = (
        ir.Endpoint(address="x.test", port=80, weight=2),
        ir.Endpoint(address="y.test", port=80),
    )
    static = emitted(proxy(host("h", "a.test")), CLUSTER)
    named = proxy(host("h", "a.test"), discovery=ir.DnsHosts(endpoints=hosts))
    resolved = emitted(named, CLUSTER)

    assert {"cart_ns": 3} == {name: it.type for name, it in static.items()}
    assert {"cart_ns#x.test:80": 2, "cart_ns#y.test:80": 2} == {
        name: it.type for name, it in resolved.items()
    }
    assert {} == emitted(named, LOAD_ASSIGNMENT)
    (configuration,) = emitted(named, ROUTE_CONFIGURATION).values()
    shares = configuration.virtual_hosts[0].routes[0].route.weighted_clusters.clusters
    assert [("cart_ns#x.test:80", 2), ("cart_ns#y.test:80", 1)] == [
        (it.name, it.weight.value) for it in shares
    ]


def test_rule_132_localities():
    """
    Endpoints of one weight are a locality, which has the weight of all.

    Each address comes once, with the weight of all that have it.
    """
    endpoints = (
        endpoint(1, weight=3),
        endpoint(1),
        endpoint(2),
        endpoint(3, weight=3),
        endpoint(3, weight=3, port=81),
    )
    served = proxy(host("h", "a.test"), discovery=ir.StaticHosts(endpoints=endpoints))

    (assignment,) = emitted(served, LOAD_ASSIGNMENT).values()

    assert [
        (1, "weight-1", [("10.0.0.2", 80)]),
        (6, "weight-3", [("10.0.0.3", 80), ("10.0.0.3", 81)]),
        (4, "weight-4", [("10.0.0.1", 80)]),
    ] == [
        (
            each.load_balancing_weight.value,
            each.locality.sub_zone,
            [
                (address.address, address.port_value)
                for address in (it.endpoint.address.socket_address for it in each.lb_endpoints)
            ],
        )
        for each in assignment.endpoints
    ]


def test_a_socket_has_no_endpoint():
    """A Unix socket is on Envoy's machine: calls to it fail, and gRPC refuses nothing."""
    served = proxy(host("h", "a.test"), discovery=ir.Pipe(path="/run/x"))

    (assignment,) = emitted(served, LOAD_ASSIGNMENT).values()

    assert [] == list(assignment.endpoints)


@pytest.mark.parametrize(
    ("match", "headers"),
    [
        ({"methods": ("GET", "POST")}, []),
        ({"methods": ("GET",)}, None),
        ({"query": (ir.QueryMatch(name="q", kind=ir.ValueKind.PRESENT),)}, None),
        ({"headers": (ir.HeaderMatch(name="x", kind=ir.ValueKind.PRESENT),)}, ["x"]),
        ({"headers": (ir.HeaderMatch(name=":method", kind=ir.ValueKind.PRESENT),)}, []),
        (
            {"headers": (ir.HeaderMatch(name=":method", kind=ir.ValueKind.EXACT, value="GET"),)},
            None,
        ),
        (
            {"headers": (ir.HeaderMatch(name=":method", kind=ir.ValueKind.REGEX, value="P.*"),)},
            [],
        ),
        (
            {
                "headers": (
                    ir.HeaderMatch(
                        name=":method", kind=ir.ValueKind.EXACT, value="POST", invert=True
                    ),
                )
            },
            None,
        ),
    ],
)
def test_conditions_on_calls(match, headers):
    """A call is a POST without a query: such conditions are met or not before gRPC sees them."""
    routes = only_route(**match)

    assert ([] if headers is None else [headers]) == [
        [header.name for header in each.match.headers] for each in routes
    ]


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (ir.RetryPolicy(retry_on="5xx, unavailable,cancelled"), ("unavailable,cancelled", 1)),
        (ir.RetryPolicy(retry_on="unavailable", num_retries=0), ("", 0)),
        (ir.RetryPolicy(retry_on="5xx,connect-failure", num_retries=3), ("", 0)),
        (None, ("", 0)),
    ],
)
def test_retries(retries, expected):
    """Of a retry policy remain the conditions that gRPC knows; it refuses one of no retry."""
    (found,) = only_route(options=ir.Options(retries=retries))

    policy = found.route.retry_policy
    assert expected == (policy.retry_on, policy.num_retries.value)
    assert found.route.HasField("retry_policy") is bool(expected[0])


@pytest.mark.parametrize(
    "options",
    [
        ir.Options(timeout=1_000_000_000),
        ir.Options(prefix_rewrite="/x"),
        ir.Options(host_rewrite="x.test"),
        ir.Options(headers=ir.HeaderEdits(request_add=(ir.HeaderValue(name="x", value="y"),))),
    ],
)
def test_what_grpc_would_ignore_is_not_sent(options):
    """Timeouts, rewrites and header edits change no byte."""
    assert only_route() == only_route(options=options)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ir.DirectResponse(status=404, body="x" * 10_000), "direct_response"),
        (ir.Redirect(host="x.test"), "redirect"),
    ],
)
def test_other_actions_stay_in_their_place(action, expected):
    """A route that forwards nothing still takes its calls, which the client then fails."""
    (found,) = only_route(action)

    assert expected == found.WhichOneof("action")
    assert found.ByteSize() < 200


def test_weights_of_names_and_splits_multiply():
    """The shares of a destination are parts of its own weight, and no sum is beyond 32 bits."""
    hosts = tuple(
        ir.Endpoint(address=f"{letter}.test", port=80, weight=weight)
        for letter, weight in (("x", 1), ("y", 2))
    )
    cluster = ir.Cluster(name="dns_ns", discovery=ir.DnsHosts(endpoints=hosts), source=SOURCE)

    def weights(named, other):
        members = (
            ir.WeightedDestination(destination=ir.Destination(cluster="dns_ns"), weight=named),
            ir.WeightedDestination(destination=ir.Destination(cluster="cart_ns"), weight=other),
        )
        served = proxy(host("h", "a.test", routes=[route(ir.Split(members=members))]))
        served = ir.Proxy(
            name="p",
            listeners=served.listeners,
            route_configurations=served.route_configurations,
            clusters=(*served.clusters, cluster),
            load_assignments=(),
        )
        (configuration,) = emitted(served, ROUTE_CONFIGURATION).values()
        shares = configuration.virtual_hosts[0].routes[0].route.weighted_clusters.clusters
        return [each.weight.value for each in shares]

    assert [10, 20, 270] == weights(10, 90)
    assert [0, 0, 3] == weights(0, 1)
    huge = weights(2**31, 2**31 - 1)
    assert sum(huge) < 2**32
    assert huge[0] * 2 == pytest.approx(huge[1], rel=1e-6)
    assert huge[0] + huge[1] == pytest.approx(huge[2], rel=1e-6)

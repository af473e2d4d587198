from __future__ import annotations

import pytest
from lower_world import World, gateway, route, upstream, virtual_service

SERVICES = [
    virtual_service(route(), name="ops/a", domains="[a]", labels="{team: x}"),
    virtual_service(route(), name="ops/b", domains="[b]", labels="{team: y}"),
    virtual_service(route(), name="web/c", domains="[c]", labels="{team: x}"),
]


def listeners(world):
    return {
        proxy.name: [listener.name for listener in proxy.listeners]
        for proxy in world.lowered.proxies
    }


def test_no_gateway():
    """Without a gateway one listener on port 8080 serves everything."""
    world = World(*SERVICES, upstream("t/u"))

    (proxy,) = world.lowered.proxies
    (listener,) = proxy.listeners
    assert ("gateway-proxy", "::", 8080, None) == (
        proxy.name,
        listener.address,
        listener.port,
        listener.source,
    )
    assert ["listener-::-8080-routes"] == [routes.name for routes in proxy.route_configurations]
    assert ["ops_a", "ops_b", "web_c"] == [host.name for host in world.hosts]
    assert ["u_t"] == [cluster.name for cluster in proxy.clusters]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ("bindPort: 80", "PEN204", "spec"),
        ("httpGateway: {}, bindAddress: localhost", "PEN415", "localhost"),
        (
            "httpGateway: {virtualServiceExpressions: {expressions: [{key: a, operator: In}]}}",
            "PEN304",
            None,
        ),
    ],
)
def test_invalid_gateways(body, code, place):
    """An invalid gateway opens nothing, and the default does not take its place."""
    world = World(*SERVICES, gateway("ops/g", body))

    ((found, owner, text),) = world.found
    assert (code, "ops/g") == (found, owner)
    assert place in {None, text}
    assert () == world.lowered.proxies


def test_broken_gateway():
    """A gateway that could not be read is a gateway."""
    world = World(*SERVICES, gateway("ops/g", "bindPort: many"))

    assert () == world.lowered.proxies
    assert [] == world.codes


@pytest.mark.parametrize(
    ("http", "served"),
    [
        ("{}", ["ops_a", "ops_b", "web_c"]),
        ("{virtualServices: [{name: b}, {name: c, namespace: web}]}", ["ops_b", "web_c"]),
        ("{virtualServiceSelector: {team: x}}", ["ops_a", "web_c"]),
        (
            "{virtualServiceSelector: {team: x}, virtualServiceNamespaces: [web]}",
            ["web_c"],
        ),
        ('{virtualServiceNamespaces: ["*"]}', ["ops_a", "ops_b", "web_c"]),
        ("{virtualServiceNamespaces: [ops]}", ["ops_a", "ops_b"]),
        (
            "{virtualServices: [{name: a}], virtualServiceSelector: {team: y}}",
            ["ops_b"],
        ),
        (
            (
                "{virtualServiceSelector: {team: y}, virtualServiceExpressions:"
                " {expressions: [{key: team, operator: NotIn, values: [y]}]}}"
            ),
            ["ops_a", "web_c"],
        ),
    ],
)
def test_selection(http, served):
    """Expressions win over labels, labels over names; namespaces restrict the former."""
    world = World(*SERVICES, gateway("ops/g", f"httpGateway: {http}"))

    assert served == [host.name for host in world.hosts]
    missing = {"ops_a", "ops_b", "web_c"} - set(served)
    assert ["PEN315"] * len(missing) == world.codes


def test_unknown_virtual_service():
    """A reference to no virtual service is reported at its name; the others are served."""
    refs = "{name: aa}, {name: a}, {name: b}, {name: c, namespace: web}"
    world = World(*SERVICES, gateway("ops/g", f"httpGateway: {{virtualServices: [{refs}]}}"))

    assert [("PEN313", "ops/g", "aa")] == world.found
    assert 3 == len(world.hosts)


def test_gateway_without_virtual_services():
    """A gateway that serves nothing has its listener all the same, and answers 404."""
    world = World(gateway("ops/g"))

    assert {"gateway-proxy": ["listener-::-8080"]} == listeners(world)
    assert [] == world.hosts


def test_proxies():
    """Each proxy has the listeners of the gateways that name it."""
    world = World(
        gateway("ops/a", "httpGateway: {}, bindPort: 1, proxyNames: [x, y, x]"),
        gateway("ops/b", "httpGateway: {}, bindPort: 2, proxyNames: [y]"),
    )

    assert {
        "x": ["listener-::-1"],
        "y": ["listener-::-1", "listener-::-2"],
    } == listeners(world)
    assert [] == world.codes


@pytest.mark.parametrize(
    ("one", "two", "conflict"),
    [
        ("::", "::", True),
        ("::", "0.0.0.0", True),
        ("::", "0::0", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("::", "10.0.0.1", False),
    ],
)
def test_address_conflict(one, two, conflict):
    """Of two gateways on one address of one proxy, the oldest opens it."""
    world = World(
        gateway("ops/a", f'httpGateway: {{}}, bindAddress: "{one}"'),
        gateway(
            "ops/b", f'httpGateway: {{}}, bindAddress: "{two}"', created="2024-01-01T00:00:00Z"
        ),
    )

    assert ([("PEN411", "ops/a")] if conflict else []) == [found[:2] for found in world.found]
    (names,) = listeners(world).values()
    assert (1 if conflict else 2) == len(names)


def test_same_address_in_two_proxies():
    """Two proxies may listen on the same address."""
    world = World(
        gateway("ops/a", "httpGateway: {}, proxyNames: [a]"),
        gateway("ops/b", "httpGateway: {}, proxyNames: [b]"),
    )

    assert [] == world.codes

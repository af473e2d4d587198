from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lower_world import (
    World,
    delegate,
    document,
    gateway,
    route,
    select,
    single,
    table,
    upstream,
    virtual_service,
)

DOCUMENTS = (
    virtual_service(
        select('{namespaces: ["*"], labels: {a: b}}'), delegate("t/none", "{prefix: /n}")
    ),
    virtual_service(route(), delegate("t/two", "{prefix: /z}"), name="ops/other"),
    virtual_service(route(), name="ops/third", domains="[x.y]", created="2024-01-01T00:00:00Z"),
    table("t/one", route("{prefix: /a}", single("t/u")), route("{prefix: /a/b}"), labels="{a: b}"),
    table("t/two", route("{prefix: /a}"), delegate("u/three"), labels="{a: b}"),
    table("u/three", delegate("t/two"), route("{regex: '('}"), labels="{a: b}", weight=-1),
    table("u/four", route("{prefix: /x}", single("t/v"))),
    table("u/five").replace("weight: 0", "weight: x"),
    upstream("t/u"),
    upstream("t/k", "kube: {serviceName: s, servicePort: 80}"),
    upstream("t/bad", 'static: {hosts: [{addr: "a b", port: 1}]}'),
    document("Service", "t/s", "spec: {ports: [{port: 80}]}"),
    document("Endpoints", "t/s", "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 1}]}]"),
    document("Pod", "t/p", "status: {podIP: 10.0.0.1}", labels="{v: w}"),
    document("Pod", "t/q", "status: {podIP: 10.0.0.1}"),
    gateway("ops/one"),
    gateway("ops/two", "httpGateway: {}, proxyNames: [gateway-proxy, other]"),
)


def outcome(world):
    """All that a translation says, with the texts that it points at in the place of positions."""
    diagnostics = {
        (*world.brief(found), found.message, found.help, found.effect)
        for found in world.diagnostics
    }
    assert len(diagnostics) == len(world.diagnostics)
    return world.lowered.proxies, diagnostics, world.lowered.affected


EXPECTED = outcome(World(*DOCUMENTS))


@given(documents=st.permutations(DOCUMENTS))
@settings(max_examples=50, deadline=None)
def test_order_of_documents(documents):
    """The order of the documents changes nothing."""
    assert EXPECTED == outcome(World(*documents))


def test_the_world_is_rich():
    """The documents above hold many kinds of mistakes."""
    codes = {code for code, *_ in EXPECTED[1]}

    assert {"PEN301", "PEN303", "PEN306", "PEN402", "PEN407", "PEN411", "PEN415"} <= codes


def test_nothing():
    """No resources mean the default listener, and nothing else."""
    world = World()

    (proxy,) = world.lowered.proxies
    assert (1, (), []) == (len(proxy.listeners), proxy.clusters, world.diagnostics)
    assert () == proxy.route_configurations[0].virtual_hosts

"""An edit costs gRPC clients what it changed, and what came before shows in nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.grpc_emission import emit_for_grpc, remade, wire
from support.ir_strategies import reachable, served_proxies

from translator import ir
from translator.emit import routes
from translator.emit.proxyless import divider
from xds.types import CLUSTER

bounded = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@bounded
@given(pool=st.lists(served_proxies, min_size=2, max_size=3), data=st.data())
def test_edits_one_by_one_equal_an_emission_from_nothing(pool, data):
    """Whatever was emitted before, all is as if emitted at once, and what is equal is kept."""
    proxy = pool[0]
    now = emit_for_grpc(proxy)
    for _ in range(data.draw(st.integers(4, 12))):
        proxy = data.draw(edits(proxy, pool))
        before, now = now, emit_for_grpc(proxy, now)

        at_once = emit_for_grpc(proxy)
        assert at_once[0] == now[0]
        assert wire(at_once[1]) == wire(now[1])
        assert [] == remade(now, before)
        assert now[1] is emit_for_grpc(proxy, now)[1]


@st.composite
def edits(draw, proxy, pool):
    """Change one thing of a proxy, and leave all the rest the very same."""
    other = draw(st.sampled_from(pool))
    mine = {host.name: host for host in hosts_of(proxy)}
    number = draw(st.integers(0, len(proxy.clusters) - 1))
    match draw(st.sampled_from(["port", "hosts", "domains", "routes", "cluster", "endpoints"])):
        case "port":
            listener = replace(proxy.listeners[0], port=draw(st.sampled_from([80, 8080])))
            return replace(proxy, listeners=(listener,))
        case "hosts":
            there = mine | {host.name: host for host in hosts_of(other)}
            names = draw(st.lists(st.sampled_from(sorted(there)), unique=True))
            return with_hosts(proxy, {name: there[name] for name in names})
        case "domains" if mine:
            name = draw(st.sampled_from(sorted(mine)))
            domains = draw(st.lists(st.sampled_from(["a.test", "b.test:80", "*"]), unique=True))
            return with_hosts(proxy, mine | {name: replace(mine[name], domains=tuple(domains))})
        case "routes" if mine:
            name = draw(st.sampled_from(sorted(mine)))
            known = {route.name: route for it in (other, proxy) for route in routes_of(it)}
            chosen = draw(st.permutations(list(known.values())))
            kept = tuple(chosen[: draw(st.integers(0, len(chosen)))])
            return with_hosts(proxy, mine | {name: replace(mine[name], routes=kept)})
        case "cluster":
            return with_cluster(proxy, other.clusters[number], other.load_assignments)
        case _:
            endpoints = tuple(draw(st.lists(reachable, min_size=1, max_size=6)))
            return with_endpoints(proxy, proxy.clusters[number], endpoints)


def hosts_of(proxy):
    return proxy.route_configurations[0].virtual_hosts


def routes_of(proxy):
    return [route for host in hosts_of(proxy) for route in host.routes]


def with_hosts(proxy, hosts):
    (configuration,) = proxy.route_configurations
    virtual_hosts = tuple(hosts[name] for name in sorted(hosts))
    configuration = replace(configuration, virtual_hosts=virtual_hosts)
    return replace(proxy, route_configurations=(configuration,))


def with_cluster(proxy, cluster, load_assignments):
    rest = [it for it in proxy.load_assignments if it.cluster != cluster.name]
    new = [it for it in load_assignments if it.cluster == cluster.name]
    return replace(
        proxy,
        clusters=tuple(cluster if it.name == cluster.name else it for it in proxy.clusters),
        load_assignments=tuple(sorted([*rest, *new], key=lambda it: it.cluster)),
    )


def with_endpoints(proxy, cluster, endpoints):
    match cluster.discovery:
        case ir.StaticHosts() | ir.DnsHosts() as discovery:
            moved = replace(cluster, discovery=replace(discovery, endpoints=endpoints))
            return with_cluster(proxy, moved, ())
        case ir.EndpointDiscovery():
            assignment = ir.LoadAssignment(cluster=cluster.name, endpoints=endpoints)
            return with_cluster(proxy, cluster, (assignment,))
    return proxy


RETRIES = ir.Options(retries=ir.RetryPolicy(retry_on="unavailable"))
OWNER = ir.Source(kind="VirtualService", namespace="ns", name="host")


def table(name, cluster="c"):
    """Make the routes of a table, which lead to a version of a cluster."""
    target = ir.Destination(cluster=cluster, subset=(("version", "v1"),))
    return tuple(
        ir.Route(
            name=f"ns/{name}/{number}",
            identity=f"{number}",
            match=ir.Match(path=ir.PathMatch(kind=ir.PathKind.PREFIX, value=f"/{name}/{number}")),
            action=ir.Forward(destination=target),
            source=ir.Source(kind="RouteTable", namespace="ns", name=name, route=f"{number}"),
        )
        for number in range(20)
    )


def hosts(tables):
    """Make a virtual host of some tables, and another one of its own table."""
    return tuple(
        ir.VirtualHost(name=name, domains=(f"{name}.test",), routes=routes, source=OWNER)
        for name, routes in (("h", tuple(r for table in tables for r in table)), ("i", OTHER))
    )


OTHER = table("other")
TABLES = tuple(table(f"t{number}") for number in range(10))
WORLD = ir.Proxy(
    name="p",
    listeners=(ir.Listener(name="l", address="::", port=80, routes="r", source=None),),
    route_configurations=(ir.RouteConfiguration(name="r", virtual_hosts=hosts(TABLES)),),
    clusters=tuple(
        ir.Cluster(
            name=name,
            discovery=ir.EndpointDiscovery(),
            subsets=ir.Subsets(selectors=(ir.SubsetSelector(keys=("version",)),)),
            source=OWNER,
        )
        for name in "cd"
    ),
    load_assignments=tuple(ir.LoadAssignment(cluster=name, endpoints=()) for name in "cd"),
)


def with_tables(tables):
    return with_hosts(WORLD, {host.name: host for host in hosts(tables)})


@pytest.fixture
def done(monkeypatch):
    """The names of the routes that are encoded, and of the clusters that are divided."""
    encoded, divided = [], []
    encode, divide = routes.encode_route, divider.shares

    def encode_route(route):
        encoded.append(route.name)
        return encode(route)

    def shares(cluster, *others):
        divided.append(cluster.name)
        return divide(cluster, *others)

    monkeypatch.setattr(routes, "encode_route", encode_route)
    monkeypatch.setattr(divider, "shares", shares)
    return encoded, divided


def other_objects(now, before):
    """List what is another object than before, by its type and its name."""
    return [
        (type_url.rpartition(".")[2], name)
        for type_url in now.types()
        for name, resource in now.resources(type_url).items()
        if before.get(type_url, name) is not resource
    ]


def test_an_edited_table_costs_its_routes(done):
    """No route of another table is encoded, and nothing else is another object."""
    before = emit_for_grpc(with_tables(TABLES))
    edited = (*TABLES[5][:-1], replace(TABLES[5][-1], options=RETRIES))
    after = with_tables((*TABLES[:5], edited, *TABLES[6:]))
    for counted in done:
        counted.clear()

    _, snapshot = emit_for_grpc(after, before)

    encoded, divided = done
    assert encoded
    assert {route.name for route in edited} >= set(encoded)
    assert [] == divided
    assert [("RouteConfiguration", "r/h")] == other_objects(snapshot, before[1])


def test_other_endpoints_cost_no_route(done):
    """New endpoints are divided anew for the destinations of their cluster only."""
    proxy = with_tables((*TABLES, table("t", cluster="d")))
    before = emit_for_grpc(proxy)
    endpoint = ir.Endpoint(address="10.0.0.1", port=80, labels=(("version", "v1"),))
    after = with_endpoints(proxy, proxy.clusters[1], (endpoint,))
    for counted in done:
        counted.clear()

    calls, snapshot = emit_for_grpc(after, before)

    assert ([], ["d"]) == done
    assert calls.route_configurations[0] is before[0].route_configurations[0]
    assert [("ClusterLoadAssignment", "d?version=v1")] == other_objects(snapshot, before[1])


def test_a_subset_lasts_as_long_as_a_route_wants_it():
    """What the last route to a subset leaves behind is gone, and there again with the next one."""
    without = with_tables(TABLES)
    wanting = with_tables((*TABLES, table("t", cluster="d")))

    before = emit_for_grpc(without)
    between = emit_for_grpc(wanting, before)
    after = emit_for_grpc(without, between)

    names = [list(made.resources(CLUSTER)) for _, made in (before, between, after)]
    assert [["c?version=v1"], ["c?version=v1", "d?version=v1"], ["c?version=v1"]] == names
    assert wire(before[1]) == wire(after[1])


def test_other_names_of_hosts_cost_the_routes_that_lead_to_them(done):
    """A host that the client resolves is a share in each route, of its own weight."""
    one, other = (ir.Endpoint(address=address, port=80) for address in ("one.test", "other.test"))
    first, second = (
        replace(WORLD.clusters[1], discovery=ir.DnsHosts(endpoints=endpoints), subsets=None)
        for endpoints in ((one, other), (replace(one, weight=2), other))
    )
    proxy = with_cluster(with_tables((*TABLES, table("t", cluster="d"))), first, ())
    before = emit_for_grpc(proxy)
    after = with_cluster(proxy, second, ())
    for counted in done:
        counted.clear()

    _, snapshot = emit_for_grpc(after, before)

    assert {route.name for route in table("t")} == set(done[0])
    assert [("RouteConfiguration", "r/h")] == other_objects(snapshot, before[1])
    assert wire(emit_for_grpc(after)[1]) == wire(snapshot)


def test_another_domain_costs_no_route(done):
    """A virtual host that gets another domain is dialled by it, with the routes that it has."""
    before = emit_for_grpc(WORLD)
    (host, other) = hosts_of(WORLD)
    after = with_hosts(WORLD, {"h": replace(host, domains=("new.test",)), "i": other})
    for counted in done:
        counted.clear()

    _, snapshot = emit_for_grpc(after, before)

    assert ([], []) == done
    assert [
        ("Listener", "new.test"),
        ("Listener", "new.test:80"),
        ("RouteConfiguration", "r/h"),
    ] == other_objects(snapshot, before[1])
    assert wire(emit_for_grpc(after)[1]) == wire(snapshot)

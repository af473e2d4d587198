"""Route configurations are encoded part by part, and an edit costs the parts that it changes."""

from __future__ import annotations

import dataclasses

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from translator import ir
from translator.emit import emit, trial
from translator.emit.route import encode_route
from xds.messages import parse
from xds.types import ROUTE_CONFIGURATION

OWNER = ir.Source(kind="VirtualService", namespace="ns", name="host")
CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"


def route(number, table="t", *, cluster="c", body=""):
    """Make a route of a table, with an answer of its own if it has a body."""
    action = (
        ir.DirectResponse(status=200, body=body)
        if body
        else ir.Forward(destination=ir.Destination(cluster=cluster))
    )
    return ir.Route(
        name=f"ns/{table}/{number}",
        identity=f"{number}",
        match=ir.Match(path=ir.PathMatch(kind=ir.PathKind.PREFIX, value=f"/{table}/{number}")),
        action=action,
        source=ir.Source(kind="RouteTable", namespace="ns", name=table, route=f"{number}"),
    )


def host(name, routes):
    return ir.VirtualHost(name=name, domains=(f"{name}.test",), routes=tuple(routes), source=OWNER)


def proxy(hosts):
    """Make a proxy of hosts, by name, with their routes."""
    configuration = ir.RouteConfiguration(
        name="r", virtual_hosts=tuple(host(name, hosts[name]) for name in sorted(hosts))
    )
    return ir.Proxy(
        name="p",
        listeners=(),
        route_configurations=(configuration,),
        clusters=(),
        load_assignments=(),
    )


def encoded(snapshot):
    return snapshot.resources(ROUTE_CONFIGURATION)["r"]


routes = st.builds(
    route,
    st.integers(0, 300),
    st.sampled_from("tu"),
    cluster=st.sampled_from("cd"),
    body=st.sampled_from(["", "", "x", "y" * 5000]),
)
proxies = st.dictionaries(
    st.sampled_from("hi"),
    st.lists(routes, max_size=12, unique_by=lambda each: each.name),
).map(proxy)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(proxies, min_size=1, max_size=5))
def test_route_configurations_do_not_remember(history):
    """Whatever was encoded before, routes have the bytes and the version that they have at once."""
    made = None
    for step in history:
        made = (step, emit(step, made))

    fresh, kept = encoded(emit(history[-1])), encoded(made[1])

    assert (fresh.version, fresh.body) == (kept.version, kept.body)
    assert fresh.requires == kept.requires
    message = parse(CONFIGURATION, kept.body)
    assert [encode_route(r) for h in hosts_of(history[-1]) for r in h.routes] == [
        encode_route(r) for part in kept.parts[1:] for run in part.runs for r in run.routes
    ]
    assert [[r.name for r in h.routes] for h in hosts_of(history[-1])] == [
        [r.name for r in h.routes] for h in message.virtual_hosts
    ]


def hosts_of(proxy):
    return proxy.route_configurations[0].virtual_hosts


def chunks(resource):
    return {id(chunk) for part in resource.parts for chunk in part.chunks}


def test_an_edit_costs_its_table():
    """Of a thousand routes in ten tables, one more changes the bytes of its own table only."""
    tables = [[route(number, f"t{table}") for number in range(100)] for table in range(10)]
    there = [each for table in tables for each in table]
    other = [route(number, "other") for number in range(10)]
    before = proxy({"h": there, "i": other})
    snapshot = emit(before)

    after = proxy({"h": [*there[:550], route("new", "t5"), *there[550:]], "i": other})
    old, new = encoded(snapshot), encoded(emit(after, (before, snapshot)))

    fresh = chunks(new) - chunks(old)
    assert len(fresh) <= 4  # two heads, and one or two runs of the table
    assert old.parts[2] is new.parts[2]


def test_a_long_answer_raises_the_limit_and_its_end_lowers_it():
    """Envoy refuses a body that is longer than the limit, which belongs to all hosts together."""
    before = proxy({"h": [route(1, body="x" * 5000)], "i": [route(2)]})
    after = proxy({"h": [route(1)], "i": [route(2)]})
    made = emit(before)

    limits = [
        parse(CONFIGURATION, encoded(each).body).max_direct_response_body_size_bytes.value
        for each in (made, emit(after, (before, made)))
    ]

    assert [5000, 0] == limits


def test_a_trial_keeps_the_parts_of_what_was_accepted():
    """What is tried out costs what is tried, and the longest answer of both is allowed."""
    accepted = encoded(emit(proxy({"h": [route(1, body="x" * 5000)]})))

    tried = trial("r", accepted, [route(2, body="y" * 4500)])

    message = parse(CONFIGURATION, tried.body)
    assert accepted.parts == tried.parts[:-1]
    assert 5000 == message.max_direct_response_body_size_bytes.value
    assert ["h", "trial.penstock.invalid"] == [each.name for each in message.virtual_hosts]


def test_what_an_earlier_process_made_is_replaced():
    """A restored snapshot tells nothing of what it was encoded from, so nothing of it is kept."""
    full = proxy({"h": [route(1)]})
    loaded = emit(full)
    empty = dataclasses.replace(full, route_configurations=())

    assert emit(empty) == emit(empty, (empty, loaded))

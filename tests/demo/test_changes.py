from __future__ import annotations

from dataclasses import replace

import pytest

from penstock.demo_changes import describe_changes
from translator import ir

GATEWAY = ir.Source(kind="Gateway", namespace="gloo-system", name="gateway-proxy")
APP = ir.Source(kind="VirtualService", namespace="gloo-system", name="app")
TABLE = ir.Source(kind="RouteTable", namespace="foxtrot", name="foxtrot-routes")
UPSTREAM = ir.Source(kind="Upstream", namespace="gloo-system", name="foxtrot")


def destination(version: str) -> ir.Destination:
    return ir.Destination(cluster="foxtrot_gloo-system", subset=(("version", version),))


def match(path: str = "/foxtrot", *headers: ir.HeaderMatch) -> ir.Match:
    return ir.Match(path=ir.PathMatch(kind=ir.PathKind.PREFIX, value=path), headers=headers)


def route(action: ir.Action, matches: ir.Match | None = None, **fields) -> ir.Route:
    return ir.Route(name="r", match=matches or match(), action=action, source=TABLE, **fields)


def split(*weights: int) -> ir.Split:
    return ir.Split(
        members=tuple(
            ir.WeightedDestination(destination=destination(f"v{number}"), weight=weight)
            for number, weight in enumerate(weights, start=1)
        )
    )


def proxy(*routes: ir.Route, ports: tuple[int, ...] = (9201,), **fields) -> ir.Proxy:
    host = ir.VirtualHost(name="app", domains=("*",), routes=routes, source=APP)
    endpoints = tuple(ir.Endpoint(address="127.0.0.1", port=port) for port in ports)
    return replace(
        ir.Proxy(
            name="gateway-proxy",
            listeners=(
                ir.Listener(name="l", address="127.0.0.1", port=8080, routes="r", source=GATEWAY),
            ),
            route_configurations=(ir.RouteConfiguration(name="r", virtual_hosts=(host,)),),
            clusters=(
                ir.Cluster(
                    name="foxtrot_gloo-system",
                    discovery=ir.StaticHosts(endpoints=endpoints),
                    source=UPSTREAM,
                ),
            ),
            load_assignments=(),
        ),
        **fields,
    )


V1, V2 = (ir.Forward(destination=destination(version)) for version in ("v1", "v2"))
CANARY = match("/foxtrot", ir.HeaderMatch(name="stage", kind=ir.ValueKind.EXACT, value="canary"))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param(proxy(route(V1)), proxy(route(V1)), (), id="nothing"),
        pytest.param(
            proxy(route(V1)),
            proxy(route(split(50, 50))),
            ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v1 50 %, foxtrot v2 50 %",),
            id="shares",
        ),
        pytest.param(
            proxy(route(split(1, 2))),
            proxy(route(split(0, 3))),
            ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v1 0 %, foxtrot v2 100 %",),
            id="other-shares",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V2, CANARY), route(V1)),
            ("foxtrot/foxtrot-routes: /foxtrot with header stage: canary is new: foxtrot v2",),
            id="new-route",
        ),
        pytest.param(
            proxy(route(V2, CANARY), route(V1)),
            proxy(route(V1)),
            ("foxtrot/foxtrot-routes: /foxtrot with header stage: canary is gone",),
            id="route-gone",
        ),
        pytest.param(
            proxy(route(V2, CANARY), route(V1)),
            proxy(route(V1), route(V2, CANARY)),
            ("routes are tried in another order",),
            id="order",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1, options=ir.Options(timeout=1))),
            ("foxtrot/foxtrot-routes: /foxtrot changed in a detail, still foxtrot v1",),
            id="options",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(ir.DirectResponse(status=503))),
            ("foxtrot/foxtrot-routes: /foxtrot now status 503 without a backend",),
            id="direct-response",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1), ports=(9201, 9203)),
            ("gloo-system/foxtrot: the upstream now 127.0.0.1:9201, 127.0.0.1:9203",),
            id="upstream",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1), listeners=()),
            ("gloo-system/gateway-proxy: the listener is gone",),
            id="listener",
        ),
    ],
)
def test_changes_are_told_in_words(before, after, lines):
    """Each difference has one line, which starts with the resource it comes from."""
    assert describe_changes((before,), (after,)) == lines


def test_a_resource_of_two_proxies_is_told_once():
    """What several proxies share is one change."""
    before, after = proxy(route(V1)), proxy(route(V2))

    lines = describe_changes(
        (before, replace(before, name="other")), (after, replace(after, name="other"))
    )

    assert lines == ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v2",)

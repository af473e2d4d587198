"""Small proxies to describe."""

from __future__ import annotations

from dataclasses import replace

from translator import ir

GATEWAY = ir.Source(kind="Gateway", namespace="gloo-system", name="gateway-proxy")
APP = ir.Source(kind="VirtualService", namespace="gloo-system", name="app")
TABLE = ir.Source(kind="RouteTable", namespace="foxtrot", name="foxtrot-routes")
UPSTREAM = ir.Source(kind="Upstream", namespace="gloo-system", name="foxtrot")


def destination(version: str) -> ir.Destination:
    return ir.Destination(cluster="foxtrot_gloo-system", subset=(("version", version),))


def match(path: str = "/foxtrot", *headers: ir.HeaderMatch, **fields) -> ir.Match:
    kind = fields.pop("kind", ir.PathKind.PREFIX)
    return ir.Match(path=ir.PathMatch(kind=kind, value=path), headers=headers, **fields)


def route(action: ir.Action, matches: ir.Match | None = None, **fields) -> ir.Route:
    return ir.Route(
        name="r", identity="r", match=matches or match(), action=action, source=TABLE, **fields
    )


def split(*weights: int) -> ir.Split:
    return ir.Split(
        members=tuple(
            ir.WeightedDestination(destination=destination(f"v{number}"), weight=weight)
            for number, weight in enumerate(weights, start=1)
        )
    )


def endpoint(port: int, version: str = "", address: str = "127.0.0.1") -> ir.Endpoint:
    labels = (("version", version),) if version else ()
    return ir.Endpoint(address=address, port=port, labels=labels)


def proxy(
    *routes: ir.Route,
    endpoints: tuple[ir.Endpoint, ...] = (endpoint(9201),),
    domains: tuple[str, ...] = ("*",),
    address: str = "127.0.0.1",
    **fields,
) -> ir.Proxy:
    host = ir.VirtualHost(name="app", domains=domains, routes=routes, source=APP)
    listener = ir.Listener(name="l", address=address, port=8080, routes="r", source=GATEWAY)
    cluster = ir.Cluster(
        name="foxtrot_gloo-system",
        discovery=ir.StaticHosts(endpoints=endpoints),
        source=UPSTREAM,
    )
    return replace(
        ir.Proxy(
            name="gateway-proxy",
            listeners=(listener,),
            route_configurations=(ir.RouteConfiguration(name="r", virtual_hosts=(host,)),),
            clusters=(cluster,),
            load_assignments=(),
        ),
        **fields,
    )


V1, V2 = (ir.Forward(destination=destination(version)) for version in ("v1", "v2"))
STAGE = ir.HeaderMatch(name="stage", kind=ir.ValueKind.EXACT, value="canary")
CANARY = match("/foxtrot", STAGE)

"""Resources made by hand, also such as the translator would never make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.messages import build, encode, pack
from xds.snapshot import Resource
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Mapping

ADS = {"ads": {}, "resource_api_version": "V3"}
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def cluster(name: str, service: str = "", *, timeout: int = 1, **fields) -> Resource:
    """Make a cluster whose endpoints come by EDS, from an assignment of another name if given."""
    fields = {
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS, "service_name": service},
        **fields,
    }
    return Resource.of(
        CLUSTER,
        name,
        encode(
            build(
                "envoy.config.cluster.v3.Cluster",
                name=name,
                connect_timeout={"seconds": timeout},
                **fields,
            )
        ),
        requires={service or name} if fields["type"] == "EDS" else (),
    )


def assignment(name: str, *ports: int) -> dict[str, object]:
    """Return the endpoints on loopback as the fields of a message."""
    return {
        "cluster_name": name,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(port)}} for port in ports]}
        ],
    }


def endpoints(name: str, *ports: int) -> Resource:
    """Make a load assignment, which may be empty."""
    return Resource.of(
        LOAD_ASSIGNMENT,
        name,
        encode(build("envoy.config.endpoint.v3.ClusterLoadAssignment", **assignment(name, *ports))),
    )


def address(port: int, host: str = "127.0.0.1") -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}


def http(routes: str, **fields) -> dict[str, object]:
    """Return a network filter that routes by RDS."""
    manager = {
        "stat_prefix": routes,
        "rds": {"config_source": ADS, "route_config_name": routes},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": pack(build(_ROUTER))}
        ],
        **fields,
    }
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": pack(build(_HCM, **manager)),
    }


def listener(name: str, port: int, routes: str, **fields) -> Resource:
    fields = {
        "address": address(port),
        "filter_chains": [{"filters": [http(routes)]}],
        **fields,
    }
    body = encode(build("envoy.config.listener.v3.Listener", name=name, **fields))
    return Resource.of(LISTENER, name, body, requires={routes})


def route(prefix: str, cluster: str) -> dict[str, object]:
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster}}


def virtual_host(*routes: Mapping[str, object], domain: str = "*", name: str = "v", **fields):
    return {"name": name, "domains": [domain], "routes": routes, **fields}


def routes(name: str, *virtual_hosts: Mapping[str, object], requires=(), **fields) -> Resource:
    """Make a route configuration; `requires` are the clusters that have to be there."""
    body = encode(
        build(
            "envoy.config.route.v3.RouteConfiguration",
            name=name,
            virtual_hosts=virtual_hosts,
            **fields,
        )
    )
    return Resource.of(ROUTE_CONFIGURATION, name, body, requires=requires)


def one_route(name: str, cluster: str, prefix: str = "/") -> Resource:
    """Make a route configuration that leads to one cluster."""
    return routes(name, virtual_host(route(prefix, cluster)), requires={cluster})

"""gRPC's part of Envoy's messages; a field that its clients do not read is not set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from translator.emit.values import ADS, Fields, provenance, socket_address
from xds.messages import build, encode, pack
from xds.snapshot import Resource
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translator import ir
    from translator.emit.proxyless.backends import Backend
    from translator.emit.proxyless.names import Service

_HCM: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
_MAX_SUM: Final = 2**32 - 1
"""The most that the weights of localities may sum to."""


def listener(service: Service) -> Resource:
    """Encode the Listener of a name: one for the client's own calls (gRFC A27)."""
    manager: Fields = {
        "stat_prefix": "grpc",
        "rds": {"config_source": ADS, "route_config_name": service.routes},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": pack(build(_ROUTER))}
        ],
    }
    message = build(
        "envoy.config.listener.v3.Listener",
        name=service.name,
        api_listener={"api_listener": pack(build(_HCM, **manager))},
        metadata=provenance(service.source),
    )
    return Resource.of(
        LISTENER, service.name, encode(message), requires=frozenset({service.routes})
    )


def cluster(backend: Backend) -> Resource:
    """Encode a Cluster: of addresses by EDS, of a name by LOGICAL_DNS (gRFC A37)."""
    fields: Fields = {"name": backend.name, "metadata": provenance(backend.source)}
    requires: frozenset[str] = frozenset()
    if backend.host is not None:
        fields["type"] = "LOGICAL_DNS"
        fields["load_assignment"] = {
            "cluster_name": backend.name,
            "endpoints": [{"lb_endpoints": [_endpoint(backend.host)]}],
        }
    else:
        fields["type"] = "EDS"
        fields["eds_cluster_config"] = {"eds_config": ADS}
        requires = frozenset({backend.name})
    body = encode(build("envoy.config.cluster.v3.Cluster", **fields))
    return Resource.of(CLUSTER, backend.name, body, requires=requires)


def load_assignment(assignment: ir.LoadAssignment) -> Resource:
    """
    Encode a ClusterLoadAssignment.

    gRPC's round robin knows no weights of endpoints, only those of localities (gRFC A27). So
    endpoints of one weight are a locality, which has the weight of all of them.
    """
    groups: dict[int, list[ir.Endpoint]] = {}
    for endpoint in assignment.endpoints:
        groups.setdefault(endpoint.weight or 1, []).append(endpoint)
    weights = _shrunk([(weight, len(groups[weight])) for weight in sorted(groups)])
    localities: list[Fields] = [
        {
            "locality": {"sub_zone": f"weight-{weight}"} if len(groups) > 1 else {},
            "load_balancing_weight": {"value": total},
            "lb_endpoints": [_endpoint(endpoint) for endpoint in groups[weight]],
        }
        for weight, total in zip(sorted(groups), weights, strict=True)
    ]
    body = encode(
        build(
            "envoy.config.endpoint.v3.ClusterLoadAssignment",
            cluster_name=assignment.cluster,
            endpoints=localities,
        )
    )
    return Resource.of(LOAD_ASSIGNMENT, assignment.cluster, body)


def _shrunk(groups: Sequence[tuple[int, int]]) -> list[int]:
    """Weigh localities of endpoints by weight and number, and keep within what is allowed."""
    totals = [weight * number for weight, number in groups]
    shrink = sum(totals) // (_MAX_SUM - len(totals)) + 1
    return [-(-total // shrink) for total in totals]


def _endpoint(endpoint: ir.Endpoint) -> Fields:
    return {"endpoint": {"address": socket_address(endpoint.address, endpoint.port)}}

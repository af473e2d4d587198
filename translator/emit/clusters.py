from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from translator.emit.values import (
    ADS,
    Fields,
    duration,
    lb_metadata,
    provenance,
    socket_address,
)
from translator.ir import DnsHosts, EndpointDiscovery, Pipe, StaticHosts
from xds.messages import build, encode, struct
from xds.snapshot import Resource
from xds.types import CLUSTER, LOAD_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from translator import ir


def cluster(cluster: ir.Cluster) -> Resource:
    """Encode a Cluster."""
    fields: Fields = {
        "name": cluster.name,
        "connect_timeout": duration(cluster.connect_timeout),
        "metadata": provenance(cluster.source),
    }
    requires: frozenset[str] = frozenset()
    discovery = cluster.discovery
    match discovery:
        case EndpointDiscovery():
            fields["type"] = "EDS"
            fields["eds_cluster_config"] = {"eds_config": ADS}
            requires = frozenset({cluster.name})
        case StaticHosts(endpoints=endpoints):
            fields["type"] = "STATIC"
            fields["load_assignment"] = _assignment(cluster.name, endpoints)
        case DnsHosts(endpoints=endpoints):
            fields["type"] = "STRICT_DNS"
            fields["dns_lookup_family"] = "V4_PREFERRED"
            fields["load_assignment"] = _assignment(cluster.name, endpoints)
        case Pipe(path=path):
            endpoint: Fields = {"endpoint": {"address": {"pipe": {"path": path}}}}
            fields["type"] = "STATIC"
            fields["load_assignment"] = {
                "cluster_name": cluster.name,
                "endpoints": [{"lb_endpoints": [endpoint]}],
            }
        case _:
            assert_never(discovery)
    if cluster.subsets is not None:
        fields["lb_subset_config"] = _subsets(cluster.subsets)
    body = encode(build("envoy.config.cluster.v3.Cluster", **fields))
    return Resource.of(CLUSTER, cluster.name, body, requires=requires)


def load_assignment(assignment: ir.LoadAssignment) -> Resource:
    """Encode a ClusterLoadAssignment."""
    fields = _assignment(assignment.cluster, assignment.endpoints)
    body = encode(build("envoy.config.endpoint.v3.ClusterLoadAssignment", **fields))
    return Resource.of(LOAD_ASSIGNMENT, assignment.cluster, body)


def _assignment(name: str, endpoints: Iterable[ir.Endpoint]) -> Fields:
    lb_endpoints = [_endpoint(endpoint) for endpoint in endpoints]
    if not lb_endpoints:
        return {"cluster_name": name}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": lb_endpoints}]}


def _endpoint(endpoint: ir.Endpoint) -> Fields:
    fields: Fields = {"endpoint": {"address": socket_address(endpoint.address, endpoint.port)}}
    if endpoint.labels:
        fields["metadata"] = lb_metadata(endpoint.labels)
    if endpoint.weight is not None:
        fields["load_balancing_weight"] = {"value": endpoint.weight}
    return fields


def _subsets(subsets: ir.Subsets) -> Fields:
    selectors: list[Fields] = [
        {"keys": list(selector.keys), "single_host_per_subset": selector.single_host_per_subset}
        for selector in subsets.selectors
    ]
    fields: Fields = {
        "fallback_policy": subsets.fallback.value,
        "subset_selectors": selectors,
    }
    if subsets.default:
        fields["default_subset"] = struct(dict(subsets.default))
    return fields

"""From upstreams to clusters and their endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translator.ir import (
    Cluster,
    DnsHosts,
    Endpoint,
    EndpointDiscovery,
    FallbackPolicy,
    LoadAssignment,
    Pipe,
    StaticHosts,
    Subsets,
    SubsetSelector,
)
from translator.lower import names
from translator.lower.addresses import canonical_ip, is_dns_name, is_ip
from translator.lower.endpoints import KubernetesEndpoints, check_addresses
from translator.lower.findings import Findings, Place
from translator.lower.suggestions import similar_resource
from translator.report import ResourceRef, rules

if TYPE_CHECKING:
    from translator.ir import Discovery
    from translator.lower.findings import Finding
    from translator.resources import Index, Key, Resource
    from translator.resources.core import ServicePort
    from translator.resources.specs import (
        KubeUpstream,
        StaticHost,
        StaticUpstream,
        SubsetSpec,
        UpstreamSpec,
    )

_LB = "envoy.lb"
_MAX_SOCKET_PATH = 107
"""Bytes in `sun_path` on Linux, without the final zero."""


@dataclass(slots=True, kw_only=True)
class Upstreams:
    """All upstreams, lowered; the valid ones in order of their keys."""

    clusters: dict[Key, Cluster] = field(default_factory=dict)
    endpoints: dict[Key, tuple[Endpoint, ...]] = field(default_factory=dict)
    """Of those upstreams whose endpoints are known."""
    assignments: list[LoadAssignment] = field(default_factory=list)
    """Of those upstreams that use discovery."""
    found: list[Finding] = field(default_factory=list)
    causes: list[tuple[ResourceRef, ResourceRef]] = field(default_factory=list)
    """Upstreams that are invalid because of another resource, each with that resource."""


def lower_upstreams(index: Index) -> Upstreams:
    """Lower all upstreams."""
    upstreams = Upstreams(found=check_addresses(index))
    kubernetes = KubernetesEndpoints(index=index)
    for key, resource in index.upstreams.items():
        findings = Findings(resource, found=upstreams.found)
        spec = resource.spec
        if spec.static is not None:
            _static(resource, spec.static, key, findings, upstreams)
        elif spec.kube is not None:
            _kube(resource, spec.kube, key, findings, upstreams, kubernetes)
        elif spec.pipe is not None:
            _pipe(resource, spec.pipe.path, key, findings, upstreams)
    return upstreams


def _cluster(
    resource: Resource[UpstreamSpec], key: Key, discovery: Discovery, subsets: Subsets | None
) -> Cluster:
    return Cluster(
        name=names.cluster(*key),
        discovery=discovery,
        subsets=subsets,
        source=names.source(resource.ref),
    )


def _static(
    resource: Resource[UpstreamSpec],
    spec: StaticUpstream,
    key: Key,
    findings: Findings,
    upstreams: Upstreams,
) -> None:
    before = len(findings.found)
    place = Place(resource, ("spec", "static"))
    if not spec.hosts:
        findings.add(rules.BAD_ADDRESS, place.at("hosts"), "the upstream has no hosts")
    subsets = _subsets(spec.subset_spec, place.at("subsetSpec"), findings)
    keys = _keys(subsets)
    endpoints = {
        _host(host, place.at("hosts", index), keys, findings)
        for index, host in enumerate(spec.hosts)
    }
    if len(findings.found) > before:
        return
    ordered = tuple(sorted(endpoints, key=_endpoint_order))
    all_ips = all(is_ip(endpoint.address) for endpoint in ordered)
    discovery = StaticHosts(endpoints=ordered) if all_ips else DnsHosts(endpoints=ordered)
    upstreams.clusters[key] = _cluster(resource, key, discovery, subsets)
    upstreams.endpoints[key] = ordered


def _host(host: StaticHost, place: Place, keys: list[str], findings: Findings) -> Endpoint:
    if not is_ip(host.addr) and not is_dns_name(host.addr):
        findings.add(
            rules.BAD_ADDRESS,
            place.at("addr"),
            f"'{host.addr}' is neither an IP address nor a DNS name",
        )
    for other in host.metadata:
        if other != _LB:
            findings.add(
                rules.BAD_VALUE,
                place.at("metadata", other).key,
                f"the metadata of a host cannot have '{other}'",
                help=f"labels for subsets go under '{_LB}', nothing else is used",
            )
    labels = dict.fromkeys(keys, "") | dict(host.metadata.get(_LB, {}))
    return Endpoint(
        address=canonical_ip(host.addr),
        port=host.port,
        labels=tuple(sorted(labels.items())),
        weight=host.load_balancing_weight,
    )


def _endpoint_order(endpoint: Endpoint) -> tuple[str, int, object, int]:
    return endpoint.address, endpoint.port, endpoint.labels, endpoint.weight or 0


def _pipe(
    resource: Resource[UpstreamSpec],
    path: str,
    key: Key,
    findings: Findings,
    upstreams: Upstreams,
) -> None:
    length = len(path.encode())
    if length > _MAX_SOCKET_PATH:
        findings.add(
            rules.BAD_ADDRESS,
            Place(resource, ("spec", "pipe", "path")),
            f"the path of a socket cannot have {length} bytes, at most {_MAX_SOCKET_PATH}",
        )
        return
    upstreams.clusters[key] = _cluster(resource, key, Pipe(path=path), None)


def _kube(
    resource: Resource[UpstreamSpec],
    spec: KubeUpstream,
    key: Key,
    findings: Findings,
    upstreams: Upstreams,
    kubernetes: KubernetesEndpoints,
) -> None:
    before = len(findings.found)
    place = Place(resource, ("spec", "kube"))
    subsets = _subsets(spec.subset_spec, place.at("subsetSpec"), findings)
    namespace = spec.service_namespace or resource.ref.namespace
    service_ref = ResourceRef("Service", namespace, spec.service_name)
    if service_ref in kubernetes.index.broken:
        # The Service's own finding says all.
        upstreams.causes.append((resource.ref, service_ref))
        return
    port = _service_port(spec, namespace, place, findings, kubernetes.index)
    if port is None or len(findings.found) > before:
        return
    endpoints = kubernetes.of_service(
        namespace, spec.service_name, port, selector=spec.selector, keys=_keys(subsets)
    )
    cluster = _cluster(resource, key, EndpointDiscovery(), subsets)
    upstreams.clusters[key] = cluster
    upstreams.assignments.append(LoadAssignment(cluster=cluster.name, endpoints=endpoints))
    if kubernetes.known(namespace, spec.service_name):
        upstreams.endpoints[key] = endpoints


def _service_port(
    spec: KubeUpstream, namespace: str, place: Place, findings: Findings, index: Index
) -> ServicePort | None:
    name = spec.service_name
    service = index.services.get((namespace, name))
    if service is None:
        findings.add(
            rules.UNKNOWN_SERVICE,
            place.at("serviceName"),
            f"service '{namespace}/{name}' does not exist",
            help=similar_resource(ResourceRef("Service", namespace, name), index),
        )
        return None
    for port in service.spec.spec.ports:
        if port.port == spec.service_port:
            return port
    ports = sorted(port.port for port in service.spec.spec.ports)
    listed = ", ".join(str(port) for port in ports) or "none"
    findings.add(
        rules.UNKNOWN_SERVICE,
        place.at("servicePort"),
        f"service '{namespace}/{name}' has no port {spec.service_port}",
        help=f"its ports: {listed}",
    )
    return None


def _subsets(spec: SubsetSpec | None, place: Place, findings: Findings) -> Subsets | None:
    if spec is None or not spec.selectors:
        # Envoy divides nothing without a selector, whatever the fallback.
        return None
    selectors: dict[tuple[str, ...], SubsetSelector] = {}
    for selector in spec.selectors:
        keys = tuple(sorted(set(selector.keys)))
        selectors.setdefault(
            keys, SubsetSelector(keys=keys, single_host_per_subset=selector.single_host_per_subset)
        )
    fallback = FallbackPolicy(spec.fallback_policy.value)
    default = spec.default_subset.values if spec.default_subset is not None else {}
    if fallback is not FallbackPolicy.DEFAULT_SUBSET:
        default = {}
    elif not default:
        findings.add(
            rules.MISSING_FIELD,
            place.at("fallbackPolicy"),
            "the fallback is a default subset, and there is none",
            help="set 'defaultSubset.values', or another 'fallbackPolicy'",
        )
    return Subsets(
        selectors=tuple(selectors[keys] for keys in sorted(selectors)),
        fallback=fallback,
        default=tuple(sorted(default.items())),
    )


def _keys(subsets: Subsets | None) -> list[str]:
    """List the labels that each endpoint has, if only with an empty value (gloo-behaviour 8.3)."""
    if subsets is None:
        return []
    return sorted({key for selector in subsets.selectors for key in selector.keys})

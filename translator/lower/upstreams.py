"""From upstreams to clusters and their endpoints."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
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
from translator.reuse import same, updated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamDraft:
    """One upstream, lowered."""

    resource: Resource[UpstreamSpec]
    cluster: Cluster | None = None
    """None if the upstream is invalid."""
    endpoints: tuple[Endpoint, ...] | None = None
    """None if they are not known."""
    assignment: LoadAssignment | None = None
    """Of an upstream that uses discovery."""
    found: tuple[Finding, ...] = ()
    cause: ResourceRef | None = None
    """Another resource because of which it is invalid."""
    service: Key | None = None
    """The Service that it leads to, whether that is there or not."""
    pods: frozenset[Key] = frozenset()
    """The Pods that were asked for, by name or by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """All upstreams, lowered; every mapping is in the order of its keys."""

    drafts: Mapping[Key, UpstreamDraft] = field(default_factory=dict)
    clusters: Mapping[Key, Cluster] = field(default_factory=dict)
    """Of the valid ones."""
    endpoints: Mapping[Key, tuple[Endpoint, ...]] = field(default_factory=dict)
    """Of those upstreams whose endpoints are known."""
    addresses: Mapping[ResourceRef, tuple[Finding, ...]] = field(default_factory=dict)
    """What is wrong with the addresses that Kubernetes gives, by the object that has them."""
    flawed: frozenset[Key] = frozenset()
    """Those with a mistake, their own or somebody else's."""
    users: Mapping[tuple[str, Key], tuple[Key, ...]] = field(default_factory=dict)
    """Who asked for each Service and Pod, which are told apart by their kind."""
    sorted_clusters: tuple[Cluster, ...] = ()
    """By name."""
    assignments: tuple[LoadAssignment, ...] = ()
    """Of those upstreams that use discovery, sorted by cluster."""

    @property
    def found(self) -> Iterator[Finding]:
        """What is wrong with upstreams and their endpoints."""
        for key in sorted(self.flawed):
            yield from self.drafts[key].found
        for found in self.addresses.values():
            yield from found

    @property
    def causes(self) -> Iterator[tuple[ResourceRef, ResourceRef]]:
        """Upstreams that are invalid because of another resource, each with that resource."""
        for draft in map(self.drafts.__getitem__, self.flawed):
            if draft.cause is not None:
                yield draft.resource.ref, draft.cause


def lower_upstreams(index: Index, before: tuple[Index, Upstreams]) -> Upstreams:
    """
    Lower all upstreams.

    Args:
        index: The resources.
        before: An earlier index, and what its upstreams were lowered to. Only what may be other
            than it was then is lowered again; the result does not depend on it.
    """
    earlier, old = before
    kubernetes = KubernetesEndpoints(index=index)
    drafts: dict[Key, UpstreamDraft | None] = {}
    for key in _concerned(index, earlier, old):
        resource = index.upstreams.get(key)
        if resource is None:
            drafts[key] = None
        else:
            draft = _lower(resource, key, kubernetes)
            drafts[key] = _reused(draft, old.drafts.get(key))
    clusters = {key: draft.cluster if draft else None for key, draft in drafts.items()}
    endpoints = {key: draft.endpoints if draft else None for key, draft in drafts.items()}
    flawed = {key for key, draft in drafts.items() if draft and (draft.found or draft.cause)}
    after = replace(
        old,
        drafts=updated(old.drafts, drafts),
        clusters=updated(old.clusters, clusters),
        endpoints=updated(old.endpoints, endpoints),
        addresses=check_addresses(index, (earlier, old.addresses)),
        flawed=(old.flawed - drafts.keys()) | flawed,
    )
    if after.clusters is not old.clusters:
        by_name = sorted(after.clusters.values(), key=lambda cluster: cluster.name)
        after = replace(after, sorted_clusters=tuple(by_name))
    return replace(after, users=_users(drafts, old), assignments=_assignments(after, old, drafts))


def lower_former(index: Index) -> tuple[tuple[Cluster, ...], tuple[LoadAssignment, ...]]:
    """Lower the upstreams that are gone or invalid, with endpoints as they are now."""
    kubernetes = KubernetesEndpoints(index=index)
    drafts = [_lower(each, key, kubernetes) for key, each in index.former_upstreams.items()]
    return (
        tuple(draft.cluster for draft in drafts if draft.cluster is not None),
        tuple(draft.assignment for draft in drafts if draft.assignment is not None),
    )


def _concerned(index: Index, earlier: Index, old: Upstreams) -> set[Key]:
    """Find the upstreams of which anything may be other than it was."""
    services, addresses = index.changed_endpoints(earlier)
    services |= index.changes("Service", earlier) | index.changes("Endpoints", earlier)
    services |= {ref.key for ref in index.broken ^ earlier.broken if ref.kind == "Service"}
    pods = index.changes("Pod", earlier) | addresses
    concerned = index.changes("Upstream", earlier) | old.flawed
    asked = [*(("Service", key) for key in services), *(("Pod", key) for key in pods)]
    for query in asked:
        concerned.update(old.users.get(query, ()))
    return concerned


def _reused(draft: UpstreamDraft, old: UpstreamDraft | None) -> UpstreamDraft:
    if old is None:
        return draft
    return replace(
        draft,
        cluster=same(draft.cluster, old.cluster),
        endpoints=same(draft.endpoints, old.endpoints),
        assignment=same(draft.assignment, old.assignment),
        pods=same(draft.pods, old.pods),
    )


def _users(
    drafts: Mapping[Key, UpstreamDraft | None], old: Upstreams
) -> Mapping[tuple[str, Key], tuple[Key, ...]]:
    """Note who asks for what now."""
    users: dict[tuple[str, Key], set[Key]] = {}
    for key, draft in drafts.items():
        before, now = _queries(old.drafts.get(key)), _queries(draft)
        for query in before ^ now:
            those = users.setdefault(query, set(old.users.get(query, ())))
            (those.add if query in now else those.discard)(key)
    changed = {query: tuple(sorted(those)) or None for query, those in users.items()}
    return updated(old.users, changed, ordered=False)


def _queries(draft: UpstreamDraft | None) -> set[tuple[str, Key]]:
    if draft is None or draft.service is None:
        return set()
    return {("Service", draft.service), *(("Pod", pod) for pod in draft.pods)}


def _assignments(
    after: Upstreams, old: Upstreams, drafts: Mapping[Key, UpstreamDraft | None]
) -> tuple[LoadAssignment, ...]:
    """Put the load assignments in order, or those that changed into their places."""
    assignments: list[LoadAssignment] = []
    for key, draft in drafts.items():
        known = old.drafts.get(key)
        before = known.assignment if known is not None else None
        now = draft.assignment if draft is not None else None
        if now is before:
            continue
        if now is None or before is None:
            every = (each.assignment for each in after.drafts.values())
            return tuple(sorted((each for each in every if each is not None), key=_by_cluster))
        assignments = assignments or list(old.assignments)
        assignments[bisect_left(assignments, now.cluster, key=_by_cluster)] = now
    return tuple(assignments) or old.assignments


def _by_cluster(assignment: LoadAssignment) -> str:
    return assignment.cluster


def _lower(
    resource: Resource[UpstreamSpec], key: Key, kubernetes: KubernetesEndpoints
) -> UpstreamDraft:
    findings = Findings(resource)
    spec = resource.spec
    draft = UpstreamDraft(resource=resource)
    if spec.static is not None:
        draft = _static(resource, spec.static, key, findings)
    elif spec.kube is not None:
        draft = _kube(resource, spec.kube, key, findings, kubernetes)
    elif spec.pipe is not None:
        draft = _pipe(resource, spec.pipe.path, key, findings)
    return replace(draft, found=tuple(findings.found)) if findings.found else draft


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
) -> UpstreamDraft:
    place = Place(resource, ("spec", "static"))
    if not spec.hosts:
        findings.add(rules.BAD_ADDRESS, place.at("hosts"), "the upstream has no hosts")
    subsets = _subsets(spec.subset_spec, place.at("subsetSpec"), findings)
    keys = _keys(subsets)
    endpoints = {
        _host(host, place.at("hosts", index), keys, findings)
        for index, host in enumerate(spec.hosts)
    }
    if findings.found:
        return UpstreamDraft(resource=resource)
    ordered = tuple(sorted(endpoints, key=_endpoint_order))
    all_ips = all(is_ip(endpoint.address) for endpoint in ordered)
    discovery = StaticHosts(endpoints=ordered) if all_ips else DnsHosts(endpoints=ordered)
    cluster = _cluster(resource, key, discovery, subsets)
    return UpstreamDraft(resource=resource, cluster=cluster, endpoints=ordered)


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
    resource: Resource[UpstreamSpec], path: str, key: Key, findings: Findings
) -> UpstreamDraft:
    length = len(path.encode())
    if length > _MAX_SOCKET_PATH:
        findings.add(
            rules.BAD_ADDRESS,
            Place(resource, ("spec", "pipe", "path")),
            f"the path of a socket cannot have {length} bytes, at most {_MAX_SOCKET_PATH}",
        )
        return UpstreamDraft(resource=resource)
    cluster = _cluster(resource, key, Pipe(path=path), None)
    return UpstreamDraft(resource=resource, cluster=cluster)


def _kube(
    resource: Resource[UpstreamSpec],
    spec: KubeUpstream,
    key: Key,
    findings: Findings,
    kubernetes: KubernetesEndpoints,
) -> UpstreamDraft:
    place = Place(resource, ("spec", "kube"))
    subsets = _subsets(spec.subset_spec, place.at("subsetSpec"), findings)
    service = (spec.service_namespace or resource.ref.namespace, spec.service_name)
    service_ref = ResourceRef("Service", *service)
    if service_ref in kubernetes.index.broken:
        # The Service's own finding says all.
        return UpstreamDraft(resource=resource, cause=service_ref, service=service)
    port = _service_port(spec, service, place, findings, kubernetes.index)
    if port is None or findings.found:
        return UpstreamDraft(resource=resource, service=service)
    found = kubernetes.of_service(service, port, selector=spec.selector, keys=_keys(subsets))
    cluster = _cluster(resource, key, EndpointDiscovery(), subsets)
    return UpstreamDraft(
        resource=resource,
        cluster=cluster,
        endpoints=found.endpoints if kubernetes.known(service) else None,
        assignment=LoadAssignment(cluster=cluster.name, endpoints=found.endpoints),
        service=service,
        pods=found.pods,
    )


def _service_port(
    spec: KubeUpstream, key: Key, place: Place, findings: Findings, index: Index
) -> ServicePort | None:
    service = index.services.get(key)
    if service is None:
        findings.add(
            rules.UNKNOWN_SERVICE,
            place.at("serviceName"),
            f"service '{'/'.join(key)}' does not exist",
            help=similar_resource(ResourceRef("Service", *key), index),
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
        f"service '{'/'.join(key)}' has no port {spec.service_port}",
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

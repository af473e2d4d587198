from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from translator.report import Diagnostic, ResourceRef, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from translator.report import Position
    from translator.resources.base import Model
    from translator.resources.core import Endpoints, EndpointSlice, Pod, Service
    from translator.resources.read import Reading
    from translator.resources.resource import Resource
    from translator.resources.specs import (
        GatewaySpec,
        RouteTableSpec,
        SettingsSpec,
        UpstreamGroupSpec,
        UpstreamSpec,
        VirtualServiceSpec,
    )

Key: TypeAlias = tuple[str, str]
"""A namespace and a name."""

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label by which an EndpointSlice says whose endpoints it holds."""

_NO_STAND_IN = frozenset({"Upstream", "UpstreamGroup"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """All valid resources; every mapping is in the order of its keys."""

    virtual_services: Mapping[Key, Resource[VirtualServiceSpec]]
    route_tables: Mapping[Key, Resource[RouteTableSpec]]
    gateways: Mapping[Key, Resource[GatewaySpec]]
    upstreams: Mapping[Key, Resource[UpstreamSpec]]
    upstream_groups: Mapping[Key, Resource[UpstreamGroupSpec]]
    settings: Mapping[Key, Resource[SettingsSpec]]
    services: Mapping[Key, Resource[Service]]
    endpoints: Mapping[Key, Resource[Endpoints]]
    endpoint_slices: Mapping[Key, tuple[Resource[EndpointSlice], ...]]
    """By the namespace and name of their Service."""
    pods: Mapping[Key, Resource[Pod]]
    pods_by_ip: Mapping[str, Resource[Pod]]
    """Pods by their address; of two with one address, the first by key."""
    route_tables_by_namespace: Mapping[str, tuple[Resource[RouteTableSpec], ...]]
    """What a selector has to look at, in the order of their names."""
    broken: frozenset[ResourceRef]
    """Resources that exist but are invalid, and for which nothing stands in."""
    resources: Mapping[ResourceRef, Resource[Model]]
    """All of the above by identity, sorted."""
    stale: frozenset[ResourceRef]
    """Resources that are invalid now, and are here as they were when they were good last."""
    former_upstreams: Mapping[Key, Resource[UpstreamSpec]]
    """Upstreams that are gone or invalid, as they were when they were good last."""
    names: Mapping[str, tuple[str, ...]]
    """By kind the names of all resources as `namespace/name`, broken ones too, sorted."""


def build_index(
    readings: Iterable[Reading],
    *,
    last_good: Mapping[ResourceRef, Resource[Model]] = MappingProxyType({}),
    lost: Container[ResourceRef] = (),
) -> tuple[Index, tuple[Diagnostic, ...]]:
    """
    Collect the resources.

    Of two documents with one identity the one counts that was good last, else one whose folder is
    called like its namespace, else the first by file and place; the others are reported. The
    outcome does not depend on the order of the readings.

    Args:
        readings: What the documents say.
        last_good: Resources as they were when they were good last. They stand in for those that
            are invalid now, except that an invalid upstream, or group of upstreams, leaves the
            routes that use it without a destination.
        lost: Resources whose document cannot be read any more, as opposed to deleted ones.
    """
    claims: defaultdict[ResourceRef, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.ref is not None:
            claims[reading.ref].append(reading)
    diagnostics: list[Diagnostic] = []
    kinds: defaultdict[str, dict[Key, Resource[Any]]] = defaultdict(dict)
    names: defaultdict[str, list[str]] = defaultdict(list)
    broken: list[ResourceRef] = []
    stale: set[ResourceRef] = set()
    resources: dict[ResourceRef, Resource[Any]] = {}
    for ref in sorted(claims.keys() | {ref for ref in last_good if ref in lost}):
        names[ref.kind].append(f"{ref.namespace}/{ref.name}")
        former = last_good.get(ref)
        resource: Resource[Any] | None = None
        if ref in claims:
            first, *others = claims[ref]
            if others:
                first, *others = sorted(claims[ref], key=_precedence(former))
                diagnostics += (_duplicate(ref, _place(first), _place(other)) for other in others)
            resource = first.resource
        if resource is None and former is not None and ref.kind not in _NO_STAND_IN:
            resource = former
            stale.add(ref)
        if resource is None:
            broken.append(ref)
        else:
            kinds[ref.kind][ref.namespace, ref.name] = resources[ref] = resource
    former_upstreams = {
        (ref.namespace, ref.name): last_good[ref]
        for ref in sorted(last_good)
        if ref.kind == "Upstream" and (ref.namespace, ref.name) not in kinds["Upstream"]
    }
    index = Index(
        virtual_services=MappingProxyType(kinds["VirtualService"]),
        route_tables=MappingProxyType(kinds["RouteTable"]),
        gateways=MappingProxyType(kinds["Gateway"]),
        upstreams=MappingProxyType(kinds["Upstream"]),
        upstream_groups=MappingProxyType(kinds["UpstreamGroup"]),
        settings=MappingProxyType(kinds["Settings"]),
        services=MappingProxyType(kinds["Service"]),
        endpoints=MappingProxyType(kinds["Endpoints"]),
        endpoint_slices=_by_service(kinds["EndpointSlice"].values()),
        pods=MappingProxyType(kinds["Pod"]),
        pods_by_ip=_by_ip(kinds["Pod"].values()),
        route_tables_by_namespace=_by_namespace(kinds["RouteTable"].values()),
        broken=frozenset(broken),
        resources=MappingProxyType(resources),
        stale=frozenset(stale),
        former_upstreams=MappingProxyType(
            cast("dict[Key, Resource[UpstreamSpec]]", former_upstreams)
        ),
        names=MappingProxyType({kind: tuple(known) for kind, known in names.items()}),
    )
    return index, tuple(diagnostics)


def _precedence(
    former: Resource[Model] | None,
) -> Callable[[Reading], tuple[bool, bool, Position]]:
    """Order documents with one identity: the one that counts comes first."""
    owner = former.locator.value().path if former is not None else ""

    def precedence(reading: Reading) -> tuple[bool, bool, Position]:
        place = _place(reading)
        folder = place.path.rpartition("/")[0].rpartition("/")[2]
        namespace = reading.ref.namespace if reading.ref is not None else ""
        return place.path != owner, folder != namespace, place

    return precedence


def _place(reading: Reading) -> Position:
    return reading.locator.value("metadata", "name")


def _duplicate(ref: ResourceRef, first: Position, other: Position) -> Diagnostic:
    return Diagnostic(
        rule=rules.DUPLICATE_RESOURCE,
        resource=ref,
        position=other,
        message=f"{ref} is defined twice; this one is not used",
        help="remove one of the two, or give it another name",
        related=(("first here", first),),
    )


def _by_service(
    slices: Iterable[Resource[EndpointSlice]],
) -> Mapping[Key, tuple[Resource[EndpointSlice], ...]]:
    found: defaultdict[Key, list[Resource[EndpointSlice]]] = defaultdict(list)
    for resource in slices:
        if (service := resource.labels.get(SERVICE_LABEL)) is not None:
            found[resource.ref.namespace, service].append(resource)
    return MappingProxyType({key: tuple(found[key]) for key in sorted(found)})


def _by_ip(pods: Iterable[Resource[Pod]]) -> Mapping[str, Resource[Pod]]:
    found: dict[str, Resource[Pod]] = {}
    for pod in pods:
        if pod.spec.status.pod_ip:
            found.setdefault(pod.spec.status.pod_ip, pod)
    return MappingProxyType(found)


def _by_namespace(
    tables: Iterable[Resource[RouteTableSpec]],
) -> Mapping[str, tuple[Resource[RouteTableSpec], ...]]:
    found: defaultdict[str, list[Resource[RouteTableSpec]]] = defaultdict(list)
    for table in tables:
        found[table.ref.namespace].append(table)
    return MappingProxyType({namespace: tuple(found[namespace]) for namespace in found})

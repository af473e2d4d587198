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

_NOWHERE = 1_000_000
"""Deeper than any folder."""

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
    """By the namespace and name of their Service; those in its folder, if there are any."""
    pods: Mapping[Key, Resource[Pod]]
    pods_by_ip: Mapping[Key, Resource[Pod]]
    """Pods by their namespace and address; of two with one address, the one that had it before,
    else the one whose folder is called like the namespace, else the first by name."""
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
    rejected: Container[ResourceRef] = (),
) -> tuple[Index, tuple[Diagnostic, ...]]:
    """
    Collect the resources.

    Of two documents with one identity the one counts that was good last, else one in a folder that
    is called like its namespace, else the first by file and place; the others are reported. While
    the one that was good last cannot be read, no other takes its place. The outcome does not depend
    on the order of the readings.

    Args:
        readings: What the documents say.
        last_good: Resources as they were when they were good last. They stand in for those that
            are invalid now, except that an invalid upstream, or group of upstreams, leaves the
            routes that use it without a destination.
        lost: Resources whose document cannot be read any more, as opposed to deleted ones.
        rejected: Resources that turned out to be invalid although each field is as the API says.
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
            if former is None or ref not in lost or _is_from(former, first):
                resource = None if ref in rejected else first.resource
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
        endpoint_slices=_by_service(kinds["EndpointSlice"].values(), kinds["Service"]),
        pods=MappingProxyType(kinds["Pod"]),
        pods_by_ip=_by_ip(kinds["Pod"].values(), last_good),
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
) -> Callable[[Reading], tuple[bool, int, Position]]:
    """Order documents with one identity: the one that counts comes first."""

    def precedence(reading: Reading) -> tuple[bool, int, Position]:
        namespace = reading.ref.namespace if reading.ref is not None else ""
        inherited = former is not None and _is_from(former, reading)
        return not inherited, _depth(reading.locator.origin, namespace), _place(reading)

    return precedence


def _is_from(resource: Resource[Model], reading: Reading) -> bool:
    """Tell whether a resource was read from the file of another reading."""
    return resource.locator.origin == reading.locator.origin


def _depth(origin: str, namespace: str) -> int:
    """
    Tell how deep the folder is that a namespace belongs to; deeper than all if there is none.

    A team can make a folder called like another team's, but below its own only.
    """
    *folders, _ = origin.split("/")
    return folders.index(namespace) if namespace in folders else _NOWHERE


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
    slices: Iterable[Resource[EndpointSlice]], services: Mapping[Key, Resource[Service]]
) -> Mapping[Key, tuple[Resource[EndpointSlice], ...]]:
    """
    Find the slices of each Service.

    Any slice can name any Service. Where some of them lie in the Service's own folder, whoever owns
    that folder says which endpoints it has, and nobody else adds any.
    """
    found: defaultdict[Key, list[Resource[EndpointSlice]]] = defaultdict(list)
    for resource in slices:
        if (service := resource.labels.get(SERVICE_LABEL)) is not None:
            found[resource.ref.namespace, service].append(resource)
    for key, all_of_it in found.items():
        if (owner := services.get(key)) is not None:
            folder = _folder(owner)
            found[key] = [one for one in all_of_it if _folder(one) == folder] or all_of_it
    return MappingProxyType({key: tuple(found[key]) for key in sorted(found)})


def _folder(resource: Resource[Any]) -> str:
    return resource.locator.origin.rpartition("/")[0]


def _by_ip(
    pods: Iterable[Resource[Pod]], last_good: Mapping[ResourceRef, Resource[Model]]
) -> Mapping[Key, Resource[Pod]]:
    sharing: defaultdict[Key, list[Resource[Pod]]] = defaultdict(list)
    for pod in pods:
        if pod.spec.status.pod_ip:
            sharing[pod.ref.namespace, pod.spec.status.pod_ip].append(pod)

    def precedence(pod: Resource[Pod]) -> tuple[bool, int, str]:
        past = cast("Resource[Pod] | None", last_good.get(pod.ref))
        had_it = past is not None and past.spec.status.pod_ip == pod.spec.status.pod_ip
        return not had_it, _depth(pod.locator.origin, pod.ref.namespace), pod.ref.name

    return MappingProxyType({key: min(those, key=precedence) for key, those in sharing.items()})


def _by_namespace(
    tables: Iterable[Resource[RouteTableSpec]],
) -> Mapping[str, tuple[Resource[RouteTableSpec], ...]]:
    found: defaultdict[str, list[Resource[RouteTableSpec]]] = defaultdict(list)
    for table in tables:
        found[table.ref.namespace].append(table)
    return MappingProxyType({namespace: tuple(found[namespace]) for namespace in found})

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from translator.reuse import changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator.report import ResourceRef
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

NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
"""No resources."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """
    All valid resources; those of one kind are in the order of their keys, but for core kinds.

    Whatever an update does not concern is the very same object in the next index.
    """

    kinds: Mapping[str, Mapping[Key, Resource[Any]]] = field(default_factory=dict)
    """All resources by kind."""
    endpoint_slices: Mapping[Key, tuple[Resource[EndpointSlice], ...]] = field(default_factory=dict)
    """By the namespace and name of their Service; those in its folder, if there are any."""
    pods_by_ip: Mapping[Key, Resource[Pod]] = field(default_factory=dict)
    """Pods by their namespace and address; of two with one address, the one that had it before,
    else the one whose folder is called like the namespace, else the first by name."""
    broken: frozenset[ResourceRef] = frozenset()
    """Resources that exist but are invalid, and for which nothing stands in."""
    stale: frozenset[ResourceRef] = frozenset()
    """Resources that are invalid now, and are here as they were when they were good last."""
    former_upstreams: Mapping[Key, Resource[UpstreamSpec]] = field(default_factory=dict)
    """Upstreams that are gone or invalid, as they were when they were good last."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind the names of all resources as `namespace/name`, broken ones too, sorted; of kinds
    that are referred to."""
    claims: Mapping[ResourceRef, tuple[Reading, ...]] = field(default_factory=dict)
    """The documents that define each resource."""
    special: frozenset[ResourceRef] = frozenset()
    """All but the resources that are simply what their only document says; these are decided anew
    each time, because it depends on the past what becomes of them."""
    all_slices: Mapping[Key, tuple[Resource[EndpointSlice], ...]] = field(default_factory=dict)
    """By the namespace and name of their Service, wherever they lie."""
    sharing: Mapping[Key, tuple[Resource[Pod], ...]] = field(default_factory=dict)
    """All pods by their namespace and address, in the order of their names."""
    contested: frozenset[Key] = frozenset()
    """The addresses that several pods have; decided anew each time."""
    token: object = field(default_factory=object)
    """Something that no other index has."""
    follows: object = None
    """The token of the index that this one is an update of."""
    latest: Mapping[str, frozenset[Key]] = field(default_factory=dict)
    """What that update concerned: the keys by kind, and those of `endpoint_slices` and `pods_by_ip`
    under these names."""

    def find(self, ref: ResourceRef) -> Resource[Model] | None:
        """Return the resource with an identity, if there is one that is valid."""
        return self.kinds.get(ref.kind, NOTHING).get(ref.key)

    def changes(self, kind: str, earlier: Index) -> set[Key]:
        """Find the keys under which a kind has another resource than in an earlier index."""
        if self.follows is earlier.token:
            return set(self.latest.get(kind, ()))
        return changes(self.kinds.get(kind, NOTHING), earlier.kinds.get(kind, NOTHING))

    def changed_endpoints(self, earlier: Index) -> tuple[set[Key], set[Key]]:
        """Find the Services whose slices, and the addresses whose pods, are others than earlier."""
        if self.follows is earlier.token:
            slices, pods = (self.latest.get(each, ()) for each in ("endpoint_slices", "pods_by_ip"))
            return set(slices), set(pods)
        return (
            changes(self.endpoint_slices, earlier.endpoint_slices),
            changes(self.pods_by_ip, earlier.pods_by_ip),
        )

    @property
    def virtual_services(self) -> Mapping[Key, Resource[VirtualServiceSpec]]:
        """All valid ones."""
        return self.kinds.get("VirtualService", NOTHING)

    @property
    def route_tables(self) -> Mapping[Key, Resource[RouteTableSpec]]:
        """All valid ones."""
        return self.kinds.get("RouteTable", NOTHING)

    @property
    def gateways(self) -> Mapping[Key, Resource[GatewaySpec]]:
        """All valid ones."""
        return self.kinds.get("Gateway", NOTHING)

    @property
    def upstreams(self) -> Mapping[Key, Resource[UpstreamSpec]]:
        """All valid ones."""
        return self.kinds.get("Upstream", NOTHING)

    @property
    def upstream_groups(self) -> Mapping[Key, Resource[UpstreamGroupSpec]]:
        """All valid ones."""
        return self.kinds.get("UpstreamGroup", NOTHING)

    @property
    def settings(self) -> Mapping[Key, Resource[SettingsSpec]]:
        """All valid ones."""
        return self.kinds.get("Settings", NOTHING)

    @property
    def services(self) -> Mapping[Key, Resource[Service]]:
        """All valid ones."""
        return self.kinds.get("Service", NOTHING)

    @property
    def endpoints(self) -> Mapping[Key, Resource[Endpoints]]:
        """All valid ones."""
        return self.kinds.get("Endpoints", NOTHING)

    @property
    def pods(self) -> Mapping[Key, Resource[Pod]]:
        """All valid ones."""
        return self.kinds.get("Pod", NOTHING)


EMPTY: Final = Index()

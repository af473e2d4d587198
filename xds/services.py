"""
The gRPC services of the discovery protocol, and what their methods carry.

Envoy's xDS protocol, "RPC Services and Methods". Not served are the `Fetch*` methods, which exist
for REST and JSON only, and the services of types that we never have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

Protocol = Literal["sotw", "delta"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to open a stream."""

    service: str
    """The full name of the service."""
    name: str
    """The name of the method."""
    protocol: Protocol
    """State of the world, or incremental."""
    type_url: str = ""
    """The only type that its streams carry; empty if they carry all."""

    @property
    def path(self) -> str:
        """Return what a client calls."""
        return f"/{self.service}/{self.name}"


_SINGLE: Final = (
    (CLUSTER, "cluster", "ClusterDiscoveryService", "Clusters"),
    (LOAD_ASSIGNMENT, "endpoint", "EndpointDiscoveryService", "Endpoints"),
    (LISTENER, "listener", "ListenerDiscoveryService", "Listeners"),
    (ROUTE_CONFIGURATION, "route", "RouteDiscoveryService", "Routes"),
    (SECRET, "secret", "SecretDiscoveryService", "Secrets"),
)


def _methods() -> Iterator[Method]:
    aggregated = "envoy.service.discovery.v3.AggregatedDiscoveryService"
    yield Method(service=aggregated, name="StreamAggregatedResources", protocol="sotw")
    yield Method(service=aggregated, name="DeltaAggregatedResources", protocol="delta")
    for type_url, package, service, plural in _SINGLE:
        full_name = f"envoy.service.{package}.v3.{service}"
        yield Method(service=full_name, name=f"Stream{plural}", protocol="sotw", type_url=type_url)
        yield Method(service=full_name, name=f"Delta{plural}", protocol="delta", type_url=type_url)


METHODS: Final = tuple(_methods())
"""All methods that are served: those of ADS, and of the services of a single type (rule 7)."""


def method(protocol: Protocol, type_url: str = "") -> Method:
    """
    Return the method for a protocol and a type, or for all types.

    Raises:
        LookupError: The type has no service of its own.
    """
    for each in METHODS:
        if (each.protocol, each.type_url) == (protocol, type_url):
            return each
    raise LookupError(f"no {protocol} method for {type_url}")

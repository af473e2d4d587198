from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from translator.ir.routes import Source

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Key and value pairs, sorted by key."""


class FallbackPolicy(StrEnum):
    """What happens to a request whose subset has no endpoint (Envoy `LbSubsetConfig`)."""

    ANY_ENDPOINT = "ANY_ENDPOINT"
    DEFAULT_SUBSET = "DEFAULT_SUBSET"
    NO_FALLBACK = "NO_FALLBACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetSelector:
    """One way to divide the endpoints."""

    keys: tuple[str, ...]
    """Sorted, distinct."""
    single_host_per_subset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsets:
    """How the endpoints of a cluster are divided."""

    selectors: tuple[SubsetSelector, ...]
    fallback: FallbackPolicy = FallbackPolicy.ANY_ENDPOINT
    default: Labels = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """One address that answers requests."""

    address: str
    port: int
    labels: Labels = ()
    """Matched by subsets; Envoy metadata `envoy.lb`."""
    weight: int | None = None
    """1 to 2³² - 1; None means equal shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDiscovery:
    """The endpoints come over EDS, under the cluster's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticHosts:
    """The endpoints are IP addresses, part of the cluster."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsHosts:
    """The endpoints are names that Envoy resolves."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """The only endpoint is a Unix socket."""

    path: str


Discovery: TypeAlias = EndpointDiscovery | StaticHosts | DnsHosts | Pipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An upstream as Envoy sees it."""

    name: str
    discovery: Discovery
    subsets: Subsets | None = None
    connect_timeout: int = 5_000_000_000
    """Nanoseconds."""
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAssignment:
    """The endpoints of one cluster that uses discovery."""

    cluster: str
    endpoints: tuple[Endpoint, ...]
    """Sorted, distinct."""

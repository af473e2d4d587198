from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translator.ir.clusters import Cluster, LoadAssignment
    from translator.ir.routes import Route, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHost:
    """The routes of some domains."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    """In the order in which Envoy tries them."""
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteConfiguration:
    """The virtual hosts of one listener."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...]
    """Sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address on which a proxy takes requests."""

    name: str
    address: str
    port: int
    routes: str
    """The name of its route configuration."""
    source: Source | None
    """The gateway; None for the listener that exists without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """All that one kind of Envoy is to do; every tuple is sorted by name."""

    name: str
    listeners: tuple[Listener, ...]
    route_configurations: tuple[RouteConfiguration, ...]
    clusters: tuple[Cluster, ...]
    load_assignments: tuple[LoadAssignment, ...]

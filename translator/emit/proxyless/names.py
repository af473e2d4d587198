from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator import ir

_HTTP: Final = 80
"""The port that a URL without one means."""
_HAS_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name that clients can dial."""

    name: str
    """What stands behind `xds:///`."""
    routes: str
    """The name of its route configuration."""
    source: ir.Source
    """The virtual service that the name is from."""


def routes_name(configuration: ir.RouteConfiguration, host: ir.VirtualHost) -> str:
    """Name the route configuration that a virtual host becomes."""
    return f"{configuration.name}/{host.name}"


def dialled(proxy: ir.Proxy) -> Mapping[str, tuple[Service, ...]]:
    """
    Find the names to dial of each virtual host, by the name of the routes that it becomes.

    A domain is one as it is written. Without a port it is also one with the port of each listener
    that serves it, and with 80, so that a client may go on dialling what it dialled when there was
    an Envoy in between. A domain that is written with its port comes first. Where listeners have
    different hosts for one domain, the lowest port decides about the names without it.
    """
    configurations = {each.name: each for each in proxy.route_configurations}
    places = [
        (domain, listener.port, (routes_name(configuration, host), host.source))
        for listener in sorted(proxy.listeners, key=lambda it: (it.port, it.name))
        if (configuration := configurations.get(listener.routes)) is not None
        for host in configuration.virtual_hosts
        for domain in host.domains
        if "*" not in domain
    ]
    bare = [place for place in places if not _HAS_PORT.fullmatch(place[0])]
    owners: dict[str, tuple[str, ir.Source]] = {}
    for domain, _, owner in places:
        owners.setdefault(domain, owner)
    for domain, port, owner in bare:
        owners.setdefault(f"{domain}:{port}", owner)
    for domain, _, owner in bare:
        owners.setdefault(f"{domain}:{_HTTP}", owner)
    found: dict[str, list[Service]] = {}
    for name in sorted(owners):
        routes, source = owners[name]
        found.setdefault(routes, []).append(Service(name=name, routes=routes, source=source))
    return {routes: tuple(named) for routes, named in found.items()}


def same_names(proxy: ir.Proxy, other: ir.Proxy) -> bool:
    """Tell, at the cost of a look at each virtual host, whether two proxies have the same names."""
    mine, theirs = proxy.route_configurations, other.route_configurations
    return (
        proxy.listeners == other.listeners
        and len(mine) == len(theirs)
        and all(
            one is another
            or (
                one.name == another.name
                and len(one.virtual_hosts) == len(another.virtual_hosts)
                and all(
                    host is former
                    or (host.name, host.domains, host.source)
                    == (former.name, former.domains, former.source)
                    for host, former in zip(one.virtual_hosts, another.virtual_hosts, strict=True)
                )
            )
            for one, another in zip(mine, theirs, strict=True)
        )
    )

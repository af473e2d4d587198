"""
What the demo can do with a configuration: which backends it needs, and what there is to ask.

In: what the proxies do. Out: addresses and names, and lines to print.
"""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING

from penstock.address import Address
from penstock.demo_changes import describe_action
from translator import ir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["backend_names", "listeners", "requests_to_try"]


def backend_names(proxies: Iterable[ir.Proxy]) -> dict[Address, str]:
    """
    Find the hosts on this machine's loopback, each with the name to answer with.

    A host's name is its upstream's, then the values of its labels: `echo v2`.
    """
    names: dict[Address, str] = {}
    for proxy in proxies:
        for cluster in proxy.clusters:
            if isinstance(cluster.discovery, ir.StaticHosts):
                for host in cluster.discovery.endpoints:
                    if ipaddress.ip_address(host.address).is_loopback:
                        labels = (value for _, value in host.labels)
                        name = " ".join((cluster.source.name, *labels))
                        names.setdefault(Address(host.address, host.port), name)
    return names


def listeners(proxies: Iterable[ir.Proxy], name: str) -> dict[Address, str]:
    """Find where a proxy listens, each with the Gateway that says so."""
    return {
        Address(listener.address, listener.port): (
            f"{listener.source.namespace}/{listener.source.name}" if listener.source else ""
        )
        for proxy in proxies
        if proxy.name == name
        for listener in proxy.listeners
    }


def requests_to_try(proxies: Iterable[ir.Proxy], name: str) -> tuple[tuple[str, str], ...]:
    """Write a `curl` command for each of a proxy's routes, with what answers it."""
    return tuple(
        dict.fromkeys(request for proxy in proxies if proxy.name == name for request in _ask(proxy))
    )


def _ask(proxy: ir.Proxy) -> Iterator[tuple[str, str]]:
    upstreams = {cluster.name: cluster.source.name for cluster in proxy.clusters}
    configurations = {it.name: it for it in proxy.route_configurations}
    for listener in proxy.listeners:
        reachable = Address(
            "127.0.0.1" if listener.address in {"::", "0.0.0.0"} else listener.address,
            listener.port,
        )
        configuration = configurations.get(listener.routes)
        for host in configuration.virtual_hosts if configuration else ():
            domain = next((it for it in host.domains if "*" not in it), None)
            for route in host.routes:
                command = _curl(reachable, domain, route.match)
                if command and (domain or "*" in host.domains):
                    yield command, describe_action(route.action, upstreams)


def _curl(address: Address, domain: str | None, match: ir.Match) -> str:
    """Write a request that matches, or nothing where that takes more than a plain one."""
    if (
        match.path.kind is ir.PathKind.REGEX
        or match.query
        or any(header.invert or header.kind is ir.ValueKind.REGEX for header in match.headers)
    ):
        return ""
    headers = [
        f"{header.name}: {header.value if header.kind is ir.ValueKind.EXACT else 'any'}"
        for header in match.headers
    ]
    if domain:
        headers.insert(0, f"host: {domain}")
    words = ["curl", f"http://{address}{match.path.value}"]
    if match.methods:
        words += ["-X", match.methods[0]]
    for header in headers:
        words += ["-H", header]
    return shlex.join(words)

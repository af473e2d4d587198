"""
What is served in the place of what is invalid.

In: the IR as lowered, with its faults. Out: the IR to serve, in which every route is valid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translator import ir


def leave_out(proxy: ir.Proxy) -> ir.Proxy:
    """Serve a proxy without its invalid routes."""
    return replace(
        proxy,
        route_configurations=tuple(
            replace(
                configuration,
                virtual_hosts=tuple(_valid_routes(host) for host in configuration.virtual_hosts),
            )
            for configuration in proxy.route_configurations
        ),
    )


def _valid_routes(host: ir.VirtualHost) -> ir.VirtualHost:
    if all(route.valid for route in host.routes):
        return host
    return replace(host, routes=tuple(route for route in host.routes if route.valid))

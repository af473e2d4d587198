from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator import ir


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbents:
    """
    Who already has what only one can have.

    Without it the oldest resource wins, and files have no age: a newcomer whose name comes first
    in the alphabet would take a domain away from its owner.
    """

    listeners: Mapping[tuple[str, str, int], tuple[str, str]] = field(default_factory=dict)
    """The namespace and name of the gateway, by proxy, address and port."""
    default: bool = False
    """Whether the listener is served that exists where there is no gateway."""
    domains: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """The namespace and name of the virtual service, by route configuration and domain."""

    @classmethod
    def of(cls, proxies: Iterable[ir.Proxy]) -> Incumbents:
        """Read them off what was served last."""
        served = tuple(proxies)
        return cls(
            listeners={
                (proxy.name, listener.address, listener.port): (
                    listener.source.namespace,
                    listener.source.name,
                )
                for proxy in served
                for listener in proxy.listeners
                if listener.source is not None
            },
            default=any(
                listener.source is None for proxy in served for listener in proxy.listeners
            ),
            domains={
                (configuration.name, domain): (host.source.namespace, host.source.name)
                for proxy in served
                for configuration in proxy.route_configurations
                for host in configuration.virtual_hosts
                for domain in host.domains
            },
        )


NOBODY = Incumbents()
"""Nothing was served yet."""

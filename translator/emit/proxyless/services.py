"""From what Envoys of a proxy do to what gRPC clients in their place do: from IR to IR."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import lcm
from typing import TYPE_CHECKING, Final

import re2

from translator import ir
from translator.emit.proxyless.backends import Share, all_endpoints, shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from translator.emit.proxyless.backends import Backend

_METHOD: Final = "POST"
"""The method of every call (gRPC over HTTP/2)."""
_PSEUDO_HEADER: Final = ":method"
_HTTP: Final = 80
"""The port that a URL without one means."""
_MAX_WEIGHT: Final = 2**32 - 1
"""The most that the weights of a split may sum to, in Envoy's API as in gRPC."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxyless:
    """All that the gRPC clients of a proxy are to do; every tuple is sorted by name."""

    services: tuple[Service, ...]
    route_configurations: tuple[ir.RouteConfiguration, ...]
    """One for each virtual host that has a name: it lists all names that lead to it, and its
    destinations are backends."""
    backends: tuple[Backend, ...]
    """Those that routes lead to."""


def proxyless(proxy: ir.Proxy) -> Proxyless:
    """
    Rewrite what a proxy does for clients that do it themselves.

    Args:
        proxy: What its Envoys are served; every route in it is valid.
    """
    divide = _Divider(proxy)
    names = _names(proxy)
    services: list[Service] = []
    configurations: list[ir.RouteConfiguration] = []
    for configuration in proxy.route_configurations:
        for host in configuration.virtual_hosts:
            dialled = names.get((configuration.name, host.name), ())
            if not dialled:
                continue
            name = f"{configuration.name}/{host.name}"
            services += (Service(name=each, routes=name, source=host.source) for each in dialled)
            # A client looks for its authority among the domains once more. That is the name that
            # it dialled, unless it was told to claim another one of the same host.
            domains = tuple(sorted({*host.domains, *dialled}))
            routes = tuple(_calls(host.routes, divide))
            alone = replace(host, domains=domains, routes=routes)
            configurations.append(ir.RouteConfiguration(name=name, virtual_hosts=(alone,)))
    return Proxyless(
        services=tuple(sorted(services, key=lambda it: it.name)),
        route_configurations=tuple(sorted(configurations, key=lambda it: it.name)),
        backends=tuple(divide.used[name] for name in sorted(divide.used)),
    )


def _names(proxy: ir.Proxy) -> Mapping[tuple[str, str], list[str]]:
    """
    Find the names to dial of each virtual host, by the names of its route configuration and itself.

    A domain is one as it is written. Without a port it is also one with the port of each listener
    that serves it, and with 80, so that a client may go on dialling what it dialled when there was
    an Envoy in between. A domain that is written with its port comes first. Where listeners have
    different hosts for one domain, the lowest port decides about the names without it.
    """
    hosts = {each.name: each.virtual_hosts for each in proxy.route_configurations}
    places = [
        (domain, listener.port, (listener.routes, host.name))
        for listener in sorted(proxy.listeners, key=lambda it: (it.port, it.name))
        for host in hosts.get(listener.routes, ())
        for domain in host.domains
        if "*" not in domain
    ]
    bare = [place for place in places if not _HAS_PORT.fullmatch(place[0])]
    owners: dict[str, tuple[str, str]] = {}
    for domain, _, owner in places:
        owners.setdefault(domain, owner)
    for domain, port, owner in bare:
        owners.setdefault(f"{domain}:{port}", owner)
    for domain, _, owner in bare:
        owners.setdefault(f"{domain}:{_HTTP}", owner)
    found: dict[tuple[str, str], list[str]] = {}
    for domain in sorted(owners):
        found.setdefault(owners[domain], []).append(domain)
    return found


def _calls(
    routes: Iterable[ir.Route], divide: Callable[[ir.Destination], Sequence[Share]]
) -> Iterator[ir.Route]:
    """
    Yield the routes that a call can take, with no more than gRPC makes of them.

    Rewrites and header edits do not exist there: a client sends what the application says. Its
    timeouts come from the application too. gRPC has a field for one (gRFC A31), but C-core counts
    from the wrong moment and ends calls up to two seconds early (grpc/grpc 40633), so that a short
    one would fail them all.
    """
    for route in routes:
        match = _call_match(route.match)
        if match is not None:
            yield replace(
                route,
                match=match,
                action=_divided(route.action, divide),
                options=ir.Options(retries=route.options.retries),
            )


def _call_match(match: ir.Match) -> ir.Match | None:
    """
    Leave out what is true of every call; None if no call can match.

    A call has no query, and its method is always the same. gRPC checks neither: it drops routes
    with a condition on the query, and does not find the pseudo-header.
    """
    if match.query or (match.methods and _METHOD not in match.methods):
        return None
    if not all(_is_met(header) for header in match.headers if header.name == _PSEUDO_HEADER):
        return None
    headers = tuple(header for header in match.headers if header.name != _PSEUDO_HEADER)
    return replace(match, methods=(), headers=headers)


def _is_met(header: ir.HeaderMatch) -> bool:
    """Tell whether the method of a call fulfils a condition on it."""
    match header.kind:
        case ir.ValueKind.PRESENT:
            met = True
        case ir.ValueKind.EXACT:
            met = header.value == _METHOD
        case ir.ValueKind.REGEX:
            met = re2.fullmatch(header.value, _METHOD) is not None
    return met is not header.invert


def _divided(
    action: ir.Action | None, divide: Callable[[ir.Destination], Sequence[Share]]
) -> ir.Action | None:
    match action:
        case ir.Forward(destination=destination):
            parts = [(1, divide(destination))]
        case ir.Split(members=members):
            parts = [(member.weight, divide(member.destination)) for member in members]
        case _:
            return action
    weights = _weights(parts)
    if len(weights) == 1:
        return ir.Forward(destination=ir.Destination(cluster=weights[0][0]))
    return ir.Split(
        members=tuple(
            ir.WeightedDestination(destination=ir.Destination(cluster=cluster), weight=weight)
            for cluster, weight in weights
        )
    )


def _weights(parts: Sequence[tuple[int, Sequence[Share]]]) -> list[tuple[str, int]]:
    """Multiply the weights of a split with those of the shares of each member."""
    sums = [sum(share.weight for share in divided) for _, divided in parts]
    scale = lcm(*sums)
    weights = [
        (share.backend.name, weight * share.weight * (scale // total))
        for (weight, divided), total in zip(parts, sums, strict=True)
        for share in divided
    ]
    total = sum(weight for _, weight in weights)
    if total > _MAX_WEIGHT:  # nobody sees the difference
        shrink = total // (_MAX_WEIGHT - len(weights)) + 1
        weights = [(name, -(-weight // shrink)) for name, weight in weights]
    return weights


class _Divider:
    """Divides destinations, and remembers the backends that come of it."""

    def __init__(self, proxy: ir.Proxy) -> None:
        self._clusters = {cluster.name: cluster for cluster in proxy.clusters}
        self._endpoints = all_endpoints(proxy)
        self._known: dict[ir.Destination, tuple[Share, ...]] = {}
        self.used: dict[str, Backend] = {}
        """By name."""

    def __call__(self, destination: ir.Destination) -> tuple[Share, ...]:
        if destination not in self._known:
            cluster = self._clusters[destination.cluster]
            found = shares(cluster, self._endpoints[cluster.name], destination)
            self._known[destination] = found
            self.used.update((share.backend.name, share.backend) for share in found)
        return self._known[destination]

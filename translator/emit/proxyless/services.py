"""From what Envoys of a proxy do to what gRPC clients in their place do: from IR to IR."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from translator import ir
from translator.emit.proxyless.calls import rewritten
from translator.emit.proxyless.divider import Divider
from translator.emit.proxyless.names import dialled, routes_name, same_names
from translator.reuse import same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from translator.emit.proxyless.backends import Backend
    from translator.emit.proxyless.calls import Run
    from translator.emit.proxyless.names import Service

_by_name: Callable[[Service | ir.RouteConfiguration], str] = attrgetter("name")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """A virtual host that has a name, and what became of it."""

    host: ir.VirtualHost
    named: tuple[Service, ...]
    runs: tuple[Run, ...]
    destinations: frozenset[ir.Destination]
    """Where its calls led."""
    configuration: ir.RouteConfiguration


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxyless:
    """All that the gRPC clients of a proxy are to do; every tuple is sorted by name."""

    services: tuple[Service, ...]
    route_configurations: tuple[ir.RouteConfiguration, ...]
    """One for each virtual host that has a name: it lists all names that lead to it, and its
    destinations are backends."""
    backends: tuple[Backend, ...]
    """Those that routes lead to."""
    load_assignments: tuple[ir.LoadAssignment, ...]
    """The endpoints of the backends, but for those that the client resolves."""
    proxy: ir.Proxy = field(compare=False, repr=False)
    """What it was rewritten from."""
    named: Mapping[str, tuple[Service, ...]] = field(compare=False, repr=False)
    """The services by the name of their route configuration."""
    hosts: Mapping[str, _Host] = field(compare=False, repr=False)
    """By the name of the route configuration that each became."""
    divider: Divider = field(compare=False, repr=False)


def proxyless(proxy: ir.Proxy, previous: Proxyless | None = None) -> Proxyless:
    """
    Rewrite what a proxy does for clients that do it themselves.

    Args:
        proxy: What its Envoys are served; every route in it is valid.
        previous: What this function made of an earlier proxy. What was rewritten from the very same
            or from equal values is the very same object again, and costs no more than a look at
            it; the result does not depend on it.
    """
    divide = Divider(proxy, previous.divider if previous is not None else None)
    if previous is not None and same_names(proxy, previous.proxy):
        named, services = previous.named, previous.services
    else:
        named = dialled(proxy)
        services = tuple(sorted(chain.from_iterable(named.values()), key=_by_name))
    known = previous.hosts if previous is not None else {}
    hosts: dict[str, _Host] = {}
    for configuration in proxy.route_configurations:
        for host in configuration.virtual_hosts:
            name = routes_name(configuration, host)
            if name in named:
                hosts[name] = _host(name, host, named[name], divide, known.get(name))
    divide.finish(frozenset().union(*[each.destinations for each in hosts.values()]))
    configurations = sorted([each.configuration for each in hosts.values()], key=_by_name)
    return Proxyless(
        services=services,
        route_configurations=tuple(configurations),
        backends=divide.backends,
        load_assignments=divide.load_assignments,
        proxy=proxy,
        named=named,
        hosts=hosts,
        divider=divide,
    )


def _host(
    name: str,
    host: ir.VirtualHost,
    named: tuple[Service, ...],
    divide: Divider,
    before: _Host | None,
) -> _Host:
    if (
        before is not None
        and before.host is host
        and before.named == named
        and before.destinations.isdisjoint(divide.moved)
    ):
        return before
    known = before.runs if before is not None else ()
    runs = rewritten(host.routes, divide, known, divide.moved)
    # A client looks for its authority among the domains once more. That is the name that it
    # dialled, unless it was told to claim another one of the same host.
    domains = tuple(sorted({*host.domains, *(each.name for each in named)}))
    routes = tuple(chain.from_iterable([run.calls for run in runs]))
    alone = replace(host, domains=domains, routes=routes)
    configuration = ir.RouteConfiguration(name=name, virtual_hosts=(alone,))
    return _Host(
        host=host,
        named=named,
        runs=runs,
        destinations=frozenset().union(*[run.destinations for run in runs]),
        configuration=same(configuration, before.configuration if before is not None else None),
    )

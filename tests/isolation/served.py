"""What a translation serves, as far as it belongs to some authors."""

from __future__ import annotations

from dataclasses import dataclass

from teams import OPS

from translator.emit import emit
from translator.emit.clusters import cluster as encode_cluster
from translator.emit.clusters import load_assignment as encode_endpoints
from translator.emit.listeners import listener as encode_listener
from translator.emit.route import encode_route
from translator.ir import Forward, Split
from translator.report import ResourceRef


@dataclass(frozen=True)
class Belongings:
    """All that some authors have in what Envoys get."""

    routes: dict[tuple[str, str, str], tuple[bytes, ...]]
    """By proxy, route configuration and domain the entries that come of their documents."""
    clusters: dict[tuple[str, str], bytes]
    """By proxy and name."""
    endpoints: dict[tuple[str, str], bytes]
    """By proxy and name of the cluster."""
    listeners: dict[tuple[str, str], bytes]
    """By proxy and name."""


def belongings(translation, authors: frozenset[ResourceRef]) -> Belongings:
    """Collect what comes of the documents of some authors."""
    return Belongings(
        routes={
            (proxy.name, configuration.name, domain): tuple(
                encode_route(route) for route in host.routes if belongs(route, authors)
            )
            for proxy in translation.proxies
            for configuration in proxy.route_configurations
            for host in configuration.virtual_hosts
            if ref_of(host.source) in authors
            for domain in host.domains
        },
        clusters={
            (proxy.name, made.name): encode_cluster(made).body
            for proxy in translation.proxies
            for made in proxy.clusters
            if ref_of(made.source) in authors
        },
        endpoints={
            (proxy.name, made.cluster): encode_endpoints(made).body
            for proxy in translation.proxies
            for owned in ({made.name for made in proxy.clusters if ref_of(made.source) in authors},)
            for made in proxy.load_assignments
            if made.cluster in owned
        },
        listeners={
            (proxy.name, made.name): encode_listener(made).body
            for proxy in translation.proxies
            for made in proxy.listeners
            if ref_of(made.source) in authors
        },
    )


def belongs(route, authors: frozenset[ResourceRef]) -> bool:
    """
    Tell whether authors wrote a route, and all tables that delegate to it.

    A team may delegate to the table of another one: what comes of that is the doing of the first.
    The tables on the way are part of the name of a route. A virtual service of the ops team has no
    routes but those that delegate; what stands for one of them is the doing of who broke the table.
    """
    if ref_of(route.source) not in authors or route.source.namespace == OPS:
        return False
    _, *tables = route.name.split("@")
    return all(ResourceRef("RouteTable", *table.split("/")[:2]) in authors for table in tables)


def ref_of(source) -> ResourceRef:
    return ResourceRef(source.kind, source.namespace, source.name)


def faults(translation) -> list[str]:
    """List what an Envoy could not be served."""
    found = []
    for proxy in translation.proxies:
        there = {cluster.name for cluster in proxy.clusters}
        for configuration in proxy.route_configurations:
            for host in configuration.virtual_hosts:
                found += [
                    f"{route.name} needs the cluster {name}"
                    for route in host.routes
                    for name in needed(route)
                    if name not in there
                ]
        found += emit(proxy).inconsistencies()
    return found


def needed(route) -> list[str]:
    match route.action:
        case Forward(destination=destination):
            return [destination.cluster]
        case Split(members=members):
            return [member.destination.cluster for member in members]
    return []


def everything(translation):
    """All that a translation says, to be compared with another one."""
    return (
        translation.policy,
        translation.proxies,
        translation.diagnostics,
        translation.affected,
        {name: served.memory for name, served in translation.served.items()},
        {name: (good.origin, good.text) for name, good in translation.memory.resources.items()},
    )

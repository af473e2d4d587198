"""What gRPC clients are served, carried on from edit to edit."""

from __future__ import annotations

from translator.emit.proxyless import emit_proxyless, proxyless
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION


def emit_for_grpc(proxy, before=None):
    """Rewrite and encode a proxy, from nothing or from what this function made before."""
    calls = proxyless(proxy, None if before is None else before[0])
    return calls, emit_proxyless(calls, before)


def wire(snapshot):
    """Every name, version and byte."""
    return snapshot.version_info, {
        type_url: [
            (name, resource.version, resource.content, resource.body, resource.requires)
            for name, resource in snapshot.resources(type_url).items()
        ]
        for type_url in snapshot.types()
    }


def remade(now, before):
    """List what is another object than before, but does the same."""
    (calls, snapshot), (old, made) = now, before
    found = ["snapshot"] if calls == old and snapshot is not made else []
    for type_url, key, new, former in (
        (LISTENER, "name", calls.services, old.services),
        (CLUSTER, "name", calls.backends, old.backends),
        (LOAD_ASSIGNMENT, "cluster", calls.load_assignments, old.load_assignments),
        (ROUTE_CONFIGURATION, "name", calls.route_configurations, old.route_configurations),
    ):
        known = {getattr(each, key): each for each in former}
        found += [
            (type_url, name)
            for each in new
            for name in [getattr(each, key)]
            if each == known.get(name)
            and snapshot.get(type_url, name) is not made.get(type_url, name)
        ]
    for name, resource in snapshot.resources(ROUTE_CONFIGURATION).items():
        known = {run.routes: run for run in runs(made.get(ROUTE_CONFIGURATION, name))}
        found += [
            (name, run.routes[0].name)
            for run in runs(resource)
            if run is not known.get(run.routes, run)
        ]
    return found


def runs(resource):
    """The parts of a table of all virtual hosts."""
    return [] if resource is None else [run for host in resource.parts[1:] for run in host.runs]

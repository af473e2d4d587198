"""
Route configurations in parts that survive an edit: virtual hosts, and in them runs of routes.

A run is a table's routes that stand in one row. What an edit leaves alone is recognised by the
routes that it was encoded from, mostly as the very same objects, and keeps its bytes and its hash.
So an edit costs what it changed, and a look at each virtual host. How routes are divided depends
on nothing but the routes: the same routes have the same version, whatever came before.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zlib import crc32

from translator.emit.route import encode_route
from translator.emit.values import provenance
from translator.ir import DirectResponse, Forward, Split
from xds.messages import build, encode, field
from xds.resource import Part, Resource, digest
from xds.types import ROUTE_CONFIGURATION
from xds.wire import header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translator import ir

DEFAULT_MAX_BODY: Final = 4096
"""Envoy refuses a longer direct response unless the route configuration raises the limit
(`max_direct_response_body_size_bytes`)."""

_CONFIGURATION: Final = "envoy.config.route.v3.RouteConfiguration"
_LONG: Final = 64
"""How many routes a run of a long table has on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run(Part):
    """Routes of one table in one row."""

    routes: tuple[ir.Route, ...]
    largest: int
    """The size of the largest direct response among them, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host(Part):
    """A virtual host, as a field of its route configuration."""

    host: ir.VirtualHost
    runs: tuple[_Run, ...]
    largest: int
    """The size of its largest direct response, in bytes."""


def route_configuration(
    configuration: ir.RouteConfiguration, previous: Resource | None = None
) -> Resource:
    """
    Encode a RouteConfiguration.

    Args:
        configuration: What to encode; every route in it is valid.
        previous: What this function made of it before, or of another one. The result does not
            depend on it.
    """
    before = previous.parts if previous is not None else ()
    known = {part.host.name: part for part in before if isinstance(part, _Host)}
    hosts = [_host(host, known.get(host.name)) for host in configuration.virtual_hosts]
    head = encode(build(_CONFIGURATION, name=configuration.name))
    largest = max((host.largest for host in hosts), default=0)
    if largest > DEFAULT_MAX_BODY:
        head += body_limit(largest)
    return Resource.of_parts(ROUTE_CONFIGURATION, configuration.name, [Part.of(head), *hosts])


def divided(routes: tuple[ir.Route, ...]) -> Iterator[tuple[ir.Route, ...]]:
    """Divide routes into runs."""
    start = 0
    for end, (route, following) in enumerate(itertools.pairwise(routes), 1):
        if _is_border(route, following):
            yield routes[start:end]
            start = end
    if routes:
        yield routes[start:]


def body_limit(size: int) -> bytes:
    """Encode the part of a RouteConfiguration that allows direct responses of some size."""
    return encode(build(_CONFIGURATION, max_direct_response_body_size_bytes={"value": size}))


def body_sizes(routes: Iterable[ir.Route]) -> Iterator[int]:
    """Yield the sizes of all direct responses, in bytes."""
    for route in routes:
        if isinstance(route.action, DirectResponse):
            yield len(route.action.body.encode())


def _host(host: ir.VirtualHost, before: _Host | None) -> _Host:
    if before is not None and before.host == host:
        return before
    known = {run.routes[0].name: run for run in before.runs} if before is not None else {}
    runs = tuple(
        run
        if (run := known.get(routes[0].name)) is not None and run.routes == routes
        else _run(routes)
        for routes in divided(host.routes)
    )
    body = _without_routes(host)
    # `virtual_hosts` is field 2 of a RouteConfiguration, `routes` field 3 of a VirtualHost.
    head = header(2, len(body) + sum(run.size for run in runs)) + body
    return _Host(
        chunks=(head, *(chunk for run in runs for chunk in run.chunks)),
        digest=digest(head, *(run.digest for run in runs)),
        size=len(head) + sum(run.size for run in runs),
        requires=frozenset().union(*(run.requires for run in runs)),
        host=host,
        runs=runs,
        largest=max((run.largest for run in runs), default=0),
    )


def _without_routes(host: ir.VirtualHost) -> bytes:
    return encode(
        build(
            "envoy.config.route.v3.VirtualHost",
            name=host.name,
            domains=host.domains,
            metadata=provenance(host.source),
        )
    )


def _run(routes: tuple[ir.Route, ...]) -> _Run:
    body = b"".join([field(3, encode_route(route)) for route in routes])
    return _Run(
        chunks=(body,),
        digest=digest(body),
        size=len(body),
        requires=frozenset(_clusters(routes)),
        routes=routes,
        largest=max(body_sizes(routes), default=0),
    )


def _is_border(before: ir.Route, after: ir.Route) -> bool:
    """
    Tell whether one run ends and another one begins between two routes.

    That is where the table changes. A long table is divided where a hash of a name says so, for
    then one route more does not move all the borders behind it.
    """
    table, other = before.source, after.source
    return (
        table.name != other.name
        or table.namespace != other.namespace
        or table.kind != other.kind
        or crc32(before.name.encode()) % _LONG == 0
    )


def _clusters(routes: Iterable[ir.Route]) -> Iterator[str]:
    for route in routes:
        match route.action:
            case Forward(destination=destination):
                yield destination.cluster
            case Split(members=members):
                for member in members:
                    yield member.destination.cluster

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from translator.emit.clusters import cluster, load_assignment
from translator.emit.listeners import listener
from translator.emit.routes import route_configuration
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from translator import ir
    from xds.snapshot import Resource

T = TypeVar("T")

_by_name: Callable[[ir.Cluster | ir.Listener | ir.RouteConfiguration], str] = attrgetter("name")
_by_cluster: Callable[[ir.LoadAssignment], str] = attrgetter("cluster")


def emit(proxy: ir.Proxy, previous: tuple[ir.Proxy, Snapshot] | None = None) -> Snapshot:
    """
    Encode everything that a proxy is to be served.

    Args:
        proxy: What the proxy is to do; every route in it is valid.
        previous: An earlier proxy and what it was encoded to. What is equal in both keeps its
            bytes; the result does not depend on it.
    """
    old, made = previous or (None, Snapshot.of(()))
    return Snapshot.of(
        [
            *encoded(
                made.given(CLUSTER),
                cluster,
                proxy.clusters,
                old.clusters if old else (),
                _by_name,
            ),
            *encoded(
                made.given(LOAD_ASSIGNMENT),
                load_assignment,
                proxy.load_assignments,
                old.load_assignments if old else (),
                _by_cluster,
            ),
            *encoded(
                made.given(LISTENER),
                listener,
                proxy.listeners,
                old.listeners if old else (),
                _by_name,
            ),
            *encoded(
                made.given(ROUTE_CONFIGURATION),
                route_configuration,
                proxy.route_configurations,
                old.route_configurations if old else (),
                _by_name,
            ),
        ]
    )


def encoded(
    made: Mapping[str, Resource],
    encode: Callable[[T], Resource],
    now: Iterable[T],
    then: Iterable[T],
    name: Callable[[T], str],
) -> Iterator[Resource]:
    """
    Encode the resources of one type, except those that are encoded already.

    Args:
        made: What there was before, by name.
        encode: Encodes one.
        now: What there is.
        then: What `made` was encoded from.
        name: Names one.
    """
    known = {name(value): value for value in then}
    for value in now:
        key = name(value)
        yield (made.get(key) if known.get(key) == value else None) or encode(value)

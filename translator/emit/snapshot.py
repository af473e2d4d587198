from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from translator.emit.clusters import cluster, load_assignment
from translator.emit.listeners import listener
from translator.emit.routes import route_configuration
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from translator import ir
    from xds.snapshot import Resource

T = TypeVar("T")


def emit(proxy: ir.Proxy, previous: tuple[ir.Proxy, Snapshot] | None = None) -> Snapshot:
    """
    Encode everything that a proxy is to be served.

    Args:
        proxy: What the proxy is to do; every route in it is valid.
        previous: An earlier proxy and what it was encoded to. What is equal in both keeps its
            bytes; the result does not depend on it.
    """
    before, encoded = previous or (None, Snapshot.of(()))

    def resources(
        type_url: str,
        encode: Callable[[T], Resource],
        now: Iterable[tuple[str, T]],
        then: Iterable[tuple[str, T]],
    ) -> Iterable[Resource]:
        known = dict(then)
        made = encoded.given(type_url)
        for name, value in now:
            resource = made.get(name) if known.get(name) == value else None
            yield resource or encode(value)

    return Snapshot.of(
        [
            *resources(
                CLUSTER,
                cluster,
                ((item.name, item) for item in proxy.clusters),
                ((item.name, item) for item in before.clusters) if before else (),
            ),
            *resources(
                LOAD_ASSIGNMENT,
                load_assignment,
                ((item.cluster, item) for item in proxy.load_assignments),
                ((item.cluster, item) for item in before.load_assignments) if before else (),
            ),
            *resources(
                LISTENER,
                listener,
                ((item.name, item) for item in proxy.listeners),
                ((item.name, item) for item in before.listeners) if before else (),
            ),
            *resources(
                ROUTE_CONFIGURATION,
                route_configuration,
                ((item.name, item) for item in proxy.route_configurations),
                ((item.name, item) for item in before.route_configurations) if before else (),
            ),
        ]
    )

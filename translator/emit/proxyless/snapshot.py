from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from translator.emit.proxyless.messages import (
    cluster,
    listener,
    load_assignment,
    route_configuration,
)
from translator.emit.proxyless.services import Proxyless
from translator.emit.snapshot import Edits
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from translator import ir
    from translator.emit.proxyless.backends import Backend
    from translator.emit.proxyless.services import Service

_by_name: Callable[[Backend | Service | ir.RouteConfiguration], str] = attrgetter("name")


def emit_proxyless(now: Proxyless, previous: tuple[Proxyless, Snapshot] | None = None) -> Snapshot:
    """
    Encode everything that the gRPC clients of a proxy are to be served.

    Args:
        now: What they are to do.
        previous: What they were to do before, and what it was encoded to. What is equal in both
            keeps its bytes; the result does not depend on it.
    """
    nothing = Proxyless(services=(), route_configurations=(), backends=())
    old, made = previous or (nothing, Snapshot.of(()))
    edits = Edits(made)
    edits.add(CLUSTER, cluster, now.backends, old.backends, _by_name)
    edits.add(LOAD_ASSIGNMENT, load_assignment, _discovered(now), _discovered(old), _by_name)
    edits.add(LISTENER, listener, now.services, old.services, _by_name)
    edits.add(
        ROUTE_CONFIGURATION,
        route_configuration,
        now.route_configurations,
        old.route_configurations,
        _by_name,
    )
    return edits.snapshot()


def _discovered(proxyless: Proxyless) -> tuple[Backend, ...]:
    """List the backends whose endpoints we tell; the others' are resolved by the client."""
    return tuple(each for each in proxyless.backends if not each.resolved)

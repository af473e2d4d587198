from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from translator.emit.proxyless.messages import (
    cluster,
    listener,
    load_assignment,
    route_configuration,
)
from translator.emit.snapshot import encoded
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from translator import ir
    from translator.emit.proxyless.backends import Backend
    from translator.emit.proxyless.services import Proxyless, Service

_by_name: Callable[[Backend | Service | ir.RouteConfiguration], str] = attrgetter("name")


def emit_proxyless(
    proxyless: Proxyless, previous: tuple[Proxyless, Snapshot] | None = None
) -> Snapshot:
    """
    Encode everything that the gRPC clients of a proxy are to be served.

    Args:
        proxyless: What they are to do.
        previous: What they were to do before, and what it was encoded to. What is equal in both
            keeps its bytes; the result does not depend on it.
    """
    old, made = previous or (None, Snapshot.of(()))
    return Snapshot.of(
        [
            *encoded(
                made.given(CLUSTER),
                cluster,
                proxyless.backends,
                old.backends if old else (),
                _by_name,
            ),
            *encoded(
                made.given(LOAD_ASSIGNMENT),
                load_assignment,
                [each for each in proxyless.backends if not each.resolved],
                [each for each in old.backends if not each.resolved] if old else (),
                _by_name,
            ),
            *encoded(
                made.given(LISTENER),
                listener,
                proxyless.services,
                old.services if old else (),
                _by_name,
            ),
            *encoded(
                made.given(ROUTE_CONFIGURATION),
                route_configuration,
                proxyless.route_configurations,
                old.route_configurations if old else (),
                _by_name,
            ),
        ]
    )

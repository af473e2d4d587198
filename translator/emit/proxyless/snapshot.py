from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from translator import ir
from translator.emit.proxyless.messages import cluster, listener, load_assignment
from translator.emit.proxyless.services import Proxyless, proxyless
from translator.emit.snapshot import Edits
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from translator.emit.proxyless.backends import Backend
    from translator.emit.proxyless.names import Service

_by_name: Callable[[Backend | Service], str] = attrgetter("name")
_by_cluster: Callable[[ir.LoadAssignment], str] = attrgetter("cluster")
_NOTHING: Final = proxyless(
    ir.Proxy(name="", listeners=(), route_configurations=(), clusters=(), load_assignments=())
)


def emit_proxyless(now: Proxyless, previous: tuple[Proxyless, Snapshot] | None = None) -> Snapshot:
    """
    Encode everything that the gRPC clients of a proxy are to be served.

    Args:
        now: What they are to do.
        previous: What they were to do before, and what it was encoded to. What is equal in both
            keeps its bytes; the result does not depend on it.
    """
    old, made = previous or (_NOTHING, Snapshot.of(()))
    edits = Edits(made)
    edits.add(CLUSTER, cluster, now.backends, old.backends, _by_name)
    edits.add(
        LOAD_ASSIGNMENT, load_assignment, now.load_assignments, old.load_assignments, _by_cluster
    )
    edits.add(LISTENER, listener, now.services, old.services, _by_name)
    edits.add_routes(now.route_configurations, old.route_configurations)
    return edits.snapshot()

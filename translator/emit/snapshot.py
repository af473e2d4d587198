from __future__ import annotations

from dataclasses import replace
from itertools import compress
from operator import attrgetter, is_not
from typing import TYPE_CHECKING, TypeVar

from translator.emit.clusters import cluster, load_assignment
from translator.emit.listeners import listener
from translator.emit.routes import route_configuration
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

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
        previous: An earlier proxy and what it was encoded to. What is the same in both keeps its
            bytes and costs no more than a look at it, and none where a whole tuple is the very
            same; the result does not depend on it.
    """
    if previous is None:
        nothing = replace(
            proxy, clusters=(), load_assignments=(), listeners=(), route_configurations=()
        )
        previous = nothing, Snapshot.of(())
    old, made = previous

    edits = Edits(made)
    edits.add(CLUSTER, cluster, proxy.clusters, old.clusters, _by_name)
    edits.add(
        LOAD_ASSIGNMENT, load_assignment, proxy.load_assignments, old.load_assignments, _by_cluster
    )
    edits.add(LISTENER, listener, proxy.listeners, old.listeners, _by_name)
    edits.add_routes(proxy.route_configurations, old.route_configurations)
    return edits.snapshot()


class Edits:
    """What is different in the next snapshot."""

    def __init__(self, made: Snapshot) -> None:
        """
        Begin with nothing.

        Args:
            made: What there was before.
        """
        self._made = made
        self._changed: list[Resource] = []
        self._removed: list[tuple[str, str]] = []

    def add(
        self,
        type_url: str,
        encode: Callable[[T], Resource],
        now: tuple[T, ...],
        then: tuple[T, ...],
        name: Callable[[T], str],
    ) -> None:
        """
        Encode the resources of one type, except those that are encoded already.

        Args:
            type_url: The type.
            encode: Encodes one.
            now: What there is.
            then: What there was when the snapshot before was made.
            name: Names one.
        """
        made = self._made.resources(type_url)
        if now is then and len(now) == len(made):  # else an earlier process made them
            return
        if len(now) == len(then) == len(made):
            different = list(compress(zip(now, then, strict=True), map(is_not, now, then)))
            if all(name(value) == name(former) for value, former in different):
                self._changed += [encode(value) for value, former in different if value != former]
                return
        known = dict(zip(map(name, then), then, strict=True))
        names = list(map(name, now))
        for key, value in zip(names, now, strict=True):
            former = known.get(key)
            if key not in made or (former is not value and former != value):
                self._changed.append(encode(value))
        self._removed += ((type_url, key) for key in made.keys() - set(names))

    def add_routes(
        self, now: tuple[ir.RouteConfiguration, ...], then: tuple[ir.RouteConfiguration, ...]
    ) -> None:
        """Encode route configurations, with the parts of those before that are still the same."""

        def encode(value: ir.RouteConfiguration) -> Resource:
            return route_configuration(value, self._made.get(ROUTE_CONFIGURATION, value.name))

        self.add(ROUTE_CONFIGURATION, encode, now, then, _by_name)

    def snapshot(self) -> Snapshot:
        """Return the next snapshot."""
        if not self._changed and not self._removed:
            return self._made
        return self._made.updated(self._changed, self._removed)

"""Which resources something of the IR came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from translator.report import ResourceRef

if TYPE_CHECKING:
    from translator import ir

Owner: TypeAlias = tuple[str, str, str]
"""The kind, namespace and name of a resource."""


class RouteOwners:
    """
    The resources that routes came from, looked up once for each tuple of routes.

    What was served, what was good and what is wanted are mostly the very same tuples, and so they
    are from one translation to the next.
    """

    def __init__(self, before: RouteOwners | None = None) -> None:
        """
        Begin.

        Args:
            before: What was looked up for the translation before.
        """
        self.known: dict[int, tuple[tuple[ir.Route, ...], frozenset[Owner]]] = {}
        """By the identity of the routes, which are kept alive here."""
        self._before = before.known if before is not None else {}

    def of(self, routes: tuple[ir.Route, ...]) -> frozenset[Owner]:
        """Return the resources that some routes came from."""
        key = id(routes)
        known = self.known.get(key) or self._before.get(key)
        if known is None:
            sources = [route.source for route in routes]
            known = routes, frozenset([(s.kind, s.namespace, s.name) for s in sources])
        self.known[key] = known
        return known[1]


def owner_of(source: ir.Source) -> ResourceRef:
    """Return the resource that something of the IR came from."""
    return ResourceRef(source.kind, source.namespace, source.name)

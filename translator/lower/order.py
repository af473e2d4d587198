"""
The order of routes that come from several tables.

This is Gloo's comparator, bit for bit (gloo-behaviour 3.4): the number of methods, then the kind
of path, then the path itself in descending order, so that of two prefixes the longer comes first.
Headers, query parameters and real length play no part; routes that compare equal keep the order of
their tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from translator.ir import PathKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from translator.ir import Match

T = TypeVar("T")

_RANK = {PathKind.EXACT: 1, PathKind.REGEX: 2, PathKind.PREFIX: 3}


def sort_by_path(routes: Iterable[T], matches: Callable[[T], Sequence[Match]]) -> list[T]:
    """
    Sort routes as Gloo does.

    Args:
        routes: The routes, in the order of their tables.
        matches: Gets the matchers of a route; the first in this order decides.
    """
    keyed = [(_smallest(matches(route)), route) for route in routes]
    # Two stable passes, because one part of the key descends: the last pass decides first.
    keyed.sort(key=lambda item: item[0].path.value, reverse=True)
    keyed.sort(key=lambda item: _rank(item[0]))
    return [route for _, route in keyed]


def _smallest(matches: Sequence[Match]) -> Match:
    best = min(map(_rank, matches))
    return max(
        (match for match in matches if _rank(match) == best), key=lambda match: match.path.value
    )


def _rank(match: Match) -> tuple[int, int]:
    return -len(match.methods), _RANK[match.path.kind]

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from translator.report import closest, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translator.report import ResourceRef
    from translator.resources import Index

_MANY = 300
"""Of more names only those are compared that begin alike, and so many of them at most: where a
folder is missing, thousands of references each have thousands of names to be compared with."""
_LAST = "\U0010ffff"
"""Sorts behind everything that a name continues with."""


class _Known(NamedTuple):
    """The names of one kind, sorted."""

    by_namespace: dict[str, list[str]]
    by_name: dict[str, list[str]]
    """The namespaces of each name."""
    names: list[str]


def similar_resource(wanted: ResourceRef, index: Index) -> str:
    """
    Write the help of a finding about a reference to a resource that does not exist.

    First comes a like name in the namespace, then the same name elsewhere, then a like name
    elsewhere; empty if nothing is close.
    """
    known = _known(index.names.get(wanted.kind, ()))
    here = known.by_namespace.get(wanted.namespace, ())
    hint = did_you_mean(wanted.name, _alike(wanted.name, here))
    if hint:
        return hint
    if elsewhere := known.by_name.get(wanted.name):
        return f"there is one of this name in namespace '{elsewhere[0]}'"
    best = closest(wanted.name, _alike(wanted.name, known.names))
    return "" if best is None else f"did you mean '{known.by_name[best][0]}/{best}'?"


@lru_cache(maxsize=16)
def _known(listed: tuple[str, ...]) -> _Known:
    by_namespace: defaultdict[str, list[str]] = defaultdict(list)
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for namespace, _, name in (each.partition("/") for each in sorted(listed)):
        by_namespace[namespace].append(name)
        by_name[name].append(namespace)
    return _Known(dict(by_namespace), dict(by_name), sorted(by_name))


def _alike(word: str, names: Sequence[str]) -> Sequence[str]:
    """Choose what to compare a word with."""
    low, high = 0, len(names)
    for length in range(max(1, len(word) // 2), len(word) + 1):
        if high - low <= _MANY:
            break
        low = bisect_left(names, word[:length], low, high)
        high = bisect_left(names, word[:length] + _LAST, low, high)
    return names[low : min(high, low + _MANY)]

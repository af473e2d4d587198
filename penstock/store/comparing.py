"""What two versions of something do not have in common, seen without looking into what they do."""

from __future__ import annotations

from itertools import compress, count
from operator import is_not
from typing import TYPE_CHECKING, Any, TypeVar

from translator import reuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["changes", "in_common"]

K = TypeVar("K", bound=Any)
V = TypeVar("V")


def changes(before: Mapping[K, V], now: Mapping[K, V]) -> tuple[Mapping[K, V], tuple[K, ...]]:
    """
    Return what is new or another value than before, and the keys of what is gone, both sorted.

    What is the same object is not looked into; what is another one may be equal all the same.
    """
    keys = sorted(reuse.changes(now, before))
    changed = {
        key: now[key]
        for key in keys
        if key in now and (key not in before or before[key] != now[key])
    }
    return changed, tuple(key for key in keys if key not in now)


def in_common(some: Iterable[object], others: Iterable[object]) -> int:
    """Count the first items that are the same objects; very many if one begins with the other."""
    return next(compress(count(), map(is_not, some, others)), 2**63)

"""
What has not changed is the very same object.

Every stage of a translation keeps the objects of the translation before wherever they are equal, so
that the next stage sees what changed by looking at identities. All of it is about speed and memory
only: no result depends on what there was before.
"""

from __future__ import annotations

from itertools import compress
from operator import is_, is_not, itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")
T = TypeVar("T")


def same(new: T, old: T | None) -> T:
    """Return the older of two equal values."""
    return old if new is old or (old is not None and new == old) else new


def same_items(new: tuple[T, ...], old: tuple[T, ...]) -> tuple[T, ...]:
    """Return the older of equal items that stand at the same place, or all of them as they were."""
    if new is old or len(new) != len(old):
        return new
    items = tuple([same(one, other) for one, other in zip(new, old, strict=True)])
    return old if all(map(is_, items, old)) else items


def changes(new: Mapping[K, object], old: Mapping[K, object]) -> set[K]:
    """Find the keys under which another object is than before, or none any more."""
    if new is old:
        return set()
    if len(new) == len(old) and all(map(is_, new, old)):
        # The same keys in the same order, as nearly always: no hash is needed.
        return set(compress(new, map(is_not, new.values(), old.values())))
    get = old.get
    found = {key for key, value in new.items() if get(key) is not value}
    if len(new) - sum(key not in old for key in found) < len(old):
        found |= old.keys() - new.keys()
    return found


def copied(mapping: Mapping[K, T]) -> dict[K, T]:
    """Copy a mapping without computing the hash of a single key, which `dict` does for a proxy."""
    if isinstance(mapping, dict | MappingProxyType):
        return mapping.copy()
    return dict(mapping)


def updated(
    before: Mapping[K, T], changed: Mapping[K, T | None], *, ordered: bool = True
) -> Mapping[K, T]:
    """
    Return a mapping with some other values, and without those that are None.

    The cost is that of a copy, and of sorting when there are new keys.

    Args:
        before: The mapping.
        changed: What takes the place of its values.
        ordered: Whether anybody cares for the order, which is that of the keys.
    """
    if all(before.get(key) is value for key, value in changed.items()):
        return before
    after = copied(before)
    for key, value in changed.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    if ordered and not all(key in before for key, value in changed.items() if value is not None):
        after = dict(sorted(after.items(), key=itemgetter(0)))
    return MappingProxyType(after)

"""
What has not changed is the very same object.

Every stage of a translation keeps the objects of the translation before wherever they are equal, so
that the next stage sees what changed by looking at identities. All of it is about speed and memory
only: no result depends on what there was before.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import merge
from itertools import chain, compress
from operator import is_, is_not, itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Patched(Mapping[K, T]):
    """
    A mapping with a few other values than the one that it was made from, and shares with it.

    A dictionary of a hundred thousand entries takes milliseconds to copy, and an edit is one entry.
    """

    __slots__ = ("_length", "_ordered", "base", "patch")

    def __init__(
        self, before: Mapping[K, T], changed: Mapping[K, T | None], *, ordered: bool = False
    ) -> None:
        """
        Put a patch over a mapping.

        Args:
            before: The mapping, which may have been made so itself; nobody changes it any more.
            changed: What takes the place of its values; None for what is not there.
            ordered: Whether the mapping is in the order of its keys, and is to stay so.
        """
        self.base, patch = _parts(before)
        self.patch = {**patch, **changed}
        self._ordered = ordered
        there = sum(key in before for key in changed)
        gone = sum(value is None for value in changed.values())
        self._length = len(before) + len(changed) - there - gone

    def __getitem__(self, key: K) -> T:
        value = self.patch.get(key, _AS_BEFORE)
        if value is _AS_BEFORE:
            return self.base[key]
        if value is None:
            raise KeyError(key)
        return cast("T", value)

    def get(self, key: K, default: Any = None) -> Any:
        """Return a value, or a default."""
        value = self.patch.get(key, _AS_BEFORE)
        if value is _AS_BEFORE:
            return self.base.get(key, default)
        return default if value is None else value

    def __contains__(self, key: object) -> bool:
        value = self.patch.get(cast("K", key), _AS_BEFORE)
        return key in self.base if value is _AS_BEFORE else value is not None

    def __iter__(self) -> Iterator[K]:
        base, patch = self.base, self.patch
        kept = (key for key in base if patch.get(key, _AS_BEFORE) is not None)
        added: list[Any] = [k for k, v in patch.items() if v is not None and k not in base]
        return merge(kept, sorted(added)) if added and self._ordered else chain(kept, added)

    def __len__(self) -> int:
        return self._length


_AS_BEFORE: Final = object()
_MOST_PATCHES: Final = 256
"""How many other values a mapping may have before it is made anew."""
_SMALL: Final = 1_000
"""A mapping of so many entries may be copied each time."""


def changes(new: Mapping[K, object], old: Mapping[K, object]) -> set[K]:
    """Find the keys under which another object is than before, or none any more."""
    if new is old:
        return set()
    (base, patch), (former, before) = _parts(new), _parts(old)
    if base is former:
        return {key for key in (*patch, *before) if new.get(key) is not old.get(key)}
    if len(new) == len(old) and all(map(is_, new, old)):
        # The same keys in the same order, as nearly always: no hash is needed.
        return set(compress(new, map(is_not, new.values(), old.values())))
    found = set(compress(new, map(is_not, new.values(), map(old.get, new))))
    if len(new) - sum(key not in old for key in found) < len(old):
        found |= old.keys() - new.keys()
    return found


def updated(
    before: Mapping[K, T], changed: Mapping[K, T | None], *, ordered: bool = True
) -> Mapping[K, T]:
    """
    Return a mapping with some other values, and without those that are None.

    The cost is that of what changed, but for now and then.

    Args:
        before: The mapping.
        changed: What takes the place of its values.
        ordered: Whether anybody cares for the order, which is that of the keys.
    """
    if all(before.get(key) is value for key, value in changed.items()):
        return before
    base, patch = _parts(before)
    if len(base) > _SMALL and len(patch) + len(changed) <= _MOST_PATCHES:
        return Patched(before, changed, ordered=ordered)
    after = dict(base) if type(base) is dict else {key: base[key] for key in base}
    for key, value in (*patch.items(), *changed.items()):
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    grows = ordered and any(key in after and key not in base for key in (*patch, *changed))
    return dict(sorted(after.items(), key=itemgetter(0))) if grows else after


def _parts(mapping: Mapping[K, T]) -> tuple[Mapping[K, T], Mapping[K, T | None]]:
    if isinstance(mapping, Patched):
        return mapping.base, mapping.patch
    return mapping, {}

"""
Many named values in few files, of which an edit changes few.

A pack is divided into buckets by the hash of the names. Each bucket is one object, so its name
depends on nothing but the values in it. A bucket is made of the one before it, by putting in what
changed: the other values are neither looked at nor encoded, and nothing is remembered of them.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from penstock.store.comparing import changes
from penstock.store.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from penstock.store.objects import Objects
    from translator.ir.plain import Plain

__all__ = ["Entry", "Packer", "unpack"]

K = TypeVar("K")
V = TypeVar("V")

Entry: TypeAlias = "tuple[Plain, bytes]"
"""An encoded value: a note for the index, and the rest."""

_PER_BUCKET: Final = 16
_MOST_BUCKETS: Final = 512
"""An edit writes a bucket and the names of all: with 50 MB, 100 kB and 40 kB."""


@dataclass(frozen=True, slots=True)
class _Pack(Generic[K, V]):
    values: Mapping[K, V]
    objects: tuple[str, ...]
    """One for each bucket; an empty name for one with nothing in it."""


class Packer(Generic[K, V]):
    """Packs values again and again, and writes only what changed."""

    def __init__(
        self,
        encode: Callable[[V], Entry],
        name: Callable[[K], str] = str,
        *,
        per_bucket: int = _PER_BUCKET,
    ) -> None:
        """
        Get ready.

        Args:
            encode: Writes a value.
            name: Turns a key into a text, another one for each.
            per_bucket: How many values share an object, unless there are very many.
        """
        self._encode = encode
        self._name = name
        self._per_bucket = per_bucket
        self.recent: Recent[Mapping[K, V], _Pack[K, V]] = Recent()

    def pack(
        self, part: Hashable, values: Mapping[K, V], objects: Objects, *, like: Hashable = None
    ) -> tuple[str, ...]:
        """
        Put values into objects, and return the names of these.

        Args:
            part: What the values are in this save.
            values: By their keys; never changed afterwards.
            objects: Where to put them.
            like: Another part to build on if nobody played this one yet.

        Raises:
            OSError: They cannot be written.
        """

        def make(values: Mapping[K, V], base: _Pack[K, V] | None) -> _Pack[K, V]:
            return self._pack(values, base, objects)

        pack = self.recent.get(part, values, make, like=like)
        names = tuple(filter(None, pack.objects))
        if objects.missing(names):  # somebody removed what was written
            names = tuple(filter(None, self._pack(values, pack, objects).objects))
        return names

    def _pack(
        self, values: Mapping[K, V], base: _Pack[K, V] | None, objects: Objects
    ) -> _Pack[K, V]:
        number = _count(len(values), self._per_bucket)
        if base is None or len(base.objects) != number:
            found = [""] * number
            lost = set(range(number))
            edited: Mapping[int, Mapping[str, V | None]] = {}
        else:
            found = list(base.objects)
            missing = objects.missing(found)
            lost = {bucket for bucket, name in enumerate(found) if name and name in missing}
            edited = self._edits(base.values, values, number)
        for bucket, edits in edited.items():
            if bucket not in lost:
                try:
                    entries = _entries(objects.read(found[bucket])) if found[bucket] else {}
                except (OSError, ValueError):
                    lost.add(bucket)
                else:
                    found[bucket] = self._put(entries, edits, objects)
        for bucket, edits in self._whole(values, lost, number).items():
            found[bucket] = self._put({}, edits, objects)
        return _Pack(values, tuple(found))

    def _edits(
        self, before: Mapping[K, V], now: Mapping[K, V], number: int
    ) -> Mapping[int, Mapping[str, V | None]]:
        """Find by bucket and name what changed; nothing is there any more of what is None."""
        edits: defaultdict[int, dict[str, V | None]] = defaultdict(dict)
        changed, gone = changes(before, now)
        for key in gone:
            name = self._name(key)
            edits[_bucket(name, number)][name] = None
        for key, value in changed.items():
            name = self._name(key)
            edits[_bucket(name, number)][name] = value
        return edits

    def _whole(
        self, values: Mapping[K, V], buckets: AbstractSet[int], number: int
    ) -> Mapping[int, Mapping[str, V | None]]:
        """Find by name everything that belongs into some buckets."""
        found: dict[int, dict[str, V | None]] = {bucket: {} for bucket in buckets}
        for key, value in values.items() if buckets else ():
            name = self._name(key)
            bucket = _bucket(name, number)
            if bucket in buckets:
                found[bucket][name] = value
        return found

    def _put(
        self, entries: dict[str, Entry], edits: Mapping[str, V | None], objects: Objects
    ) -> str:
        """Put edited entries into an object, sorted, so that it does not tell how it came about."""
        for name, value in edits.items():
            if value is None:
                entries.pop(name, None)
            else:
                entries[name] = self._encode(value)
        if not entries:
            return ""
        index: list[Plain] = []
        bodies: list[bytes] = []
        for name, (note, body) in sorted(entries.items()):
            index.append([name, len(body), note])
            bodies.append(body)
        return objects.put(b"\n".join((json.dumps(index).encode(), b"".join(bodies))))


def _entries(data: bytes) -> dict[str, Entry]:
    return {name: (note, body) for name, note, body in unpack(data)}


def unpack(data: bytes) -> Iterator[tuple[str, Plain, bytes]]:
    """
    Yield the values of one object: name, note and the rest, as they were encoded.

    Raises:
        ValueError: It is no such object.
    """
    index, separator, bodies = data.partition(b"\n")
    if not separator:
        raise ValueError("it has no index")
    start = 0
    for name, length, note in json.loads(index):
        yield name, note, bodies[start : start + length]
        start += length


def _count(values: int, per_bucket: int) -> int:
    """Return the number of buckets: a power of two, so that it seldom changes."""
    if not values:
        return 0
    number = 1
    while number * per_bucket < values and number < _MOST_BUCKETS:
        number *= 2
    return number


def _bucket(name: str, number: int) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % number

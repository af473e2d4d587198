"""
Many named values in few files, of which an edit changes few.

A pack is divided into buckets by the hash of the names. Each bucket is one object, whose name is
the hash of its bytes; buckets whose values are the same as before are not even encoded.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Packer", "digest", "unpack"]

T = TypeVar("T")

_PER_BUCKET: Final = 32
_MOST_BUCKETS: Final = 256


@dataclass(frozen=True, slots=True)
class _Bucket(Generic[T]):
    items: tuple[tuple[str, T], ...]
    digest: str


class Packer(Generic[T]):
    """Packs values again and again, and knows what it packed last."""

    def __init__(self, encode: Callable[[T], bytes]) -> None:
        self._encode = encode
        self._known: tuple[_Bucket[T], ...] = ()

    def pack(self, items: Iterable[tuple[str, T]]) -> dict[str, Callable[[], bytes]]:
        """
        Pack values by their distinct names.

        Returns:
            The objects by digest, in the order of the buckets, each with what gives its bytes.
        """
        every = tuple(items)
        number = 1
        while number * _PER_BUCKET < len(every) and number < _MOST_BUCKETS:
            number *= 2
        divided: list[list[tuple[str, T]]] = [[] for _ in range(number)]
        for item in every:
            divided[zlib.crc32(_bytes(item[0])) % number].append(item)
        known = self._known if len(self._known) == number else (None,) * number
        buckets: list[_Bucket[T]] = []
        objects: dict[str, Callable[[], bytes]] = {}
        for before, now in zip(known, map(tuple, divided), strict=True):
            if before is not None and before.items == now:
                bucket = before
                objects[bucket.digest] = lambda items=now: self._write(items)  # type: ignore[misc]
            else:
                data = self._write(now)
                bucket = _Bucket(now, digest(data))
                objects[bucket.digest] = lambda data=data: data  # type: ignore[misc]
            buckets.append(bucket)
        self._known = tuple(buckets)
        return objects

    def _write(self, items: tuple[tuple[str, T], ...]) -> bytes:
        parts = [self._encode(value) for _, value in items]
        index = [[name, len(part)] for (name, _), part in zip(items, parts, strict=True)]
        return b"\n".join((json.dumps(index).encode(), b"".join(parts)))


def unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Yield the values of one object by name, as they were encoded.

    Raises:
        ValueError: It is no such object.
    """
    index, separator, values = data.partition(b"\n")
    if not separator:
        raise ValueError("it has no index")
    start = 0
    for name, length in json.loads(index):
        yield name, values[start : start + length]
        start += length


def digest(data: bytes) -> str:
    """Return the name of an object."""
    return hashlib.sha256(data).hexdigest()


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")

"""
Large bodies in pieces, so that an edit writes the piece that it changed.

A body comes in parts; an edit changes a few of them, puts some in or takes some away. It is cut
behind each part that is long, or that happens to have a certain hash. So where it is cut depends on
nothing around the part, and no edit changes the pieces of what it did not touch.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from penstock.store.comparing import in_common

if TYPE_CHECKING:
    from penstock.store.packs import Entry
    from translator.ir.plain import Plain

__all__ = ["Parts", "Pieces", "cut", "encode_piece", "name_of", "read_piece"]

Parts: TypeAlias = tuple[bytes, ...]

_LONG: Final = 16_384
"""Bytes; a part with as many is the last of its piece."""
_ONE_IN: Final = 16
"""How many shorter parts make a piece, on average."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body, divided."""

    parts: Parts
    """All of it."""
    pieces: tuple[tuple[str, Parts], ...]
    """The parts of each piece, with the name that it has from its content."""
    ends: tuple[int, ...]
    """How many parts there are up to the end of each piece."""


def cut(parts: Parts, before: Pieces | None = None) -> Pieces:
    """
    Divide a body.

    Args:
        parts: What it consists of.
        before: Another body that has parts in common with it, as the same objects. Pieces in what
            is common to their beginnings or to their ends are taken over.
    """
    if before is None:
        before = Pieces((), (), ())
    most = min(len(parts), len(before.parts))
    ahead = min(in_common(parts, before.parts), most)
    behind = min(in_common(reversed(parts), reversed(before.parts)), most - ahead)
    # The last piece ends with the body, and in another body may go on.
    head = min(bisect_right(before.ends, ahead), max(len(before.ends) - 1, 0))
    # A piece begins behind the end of another; it is the same if that end is.
    tail = bisect_right(before.ends, len(before.parts) - behind) + 1
    begin = before.ends[head - 1] if head else 0
    more = len(parts) - len(before.parts)
    stop = before.ends[tail - 1] + more if tail <= len(before.ends) else len(parts)
    pieces = list(before.pieces[:head])
    ends = list(before.ends[:head])
    for end in range(begin + 1, stop + 1):
        if end == stop or _is_last(parts[end - 1]):
            piece = parts[begin:end]
            pieces.append((name_of(piece), piece))
            ends.append(end)
            begin = end
    pieces += before.pieces[tail:]
    ends += (end + more for end in before.ends[tail:])
    return Pieces(parts, tuple(pieces), tuple(ends))


def _is_last(part: bytes) -> bool:
    return len(part) >= _LONG or zlib.crc32(part) % _ONE_IN == 0


def name_of(piece: Parts) -> str:
    """Name a piece: 128 bits, so that nobody can write two of one name."""
    content = hashlib.sha256()
    for part in piece:
        content.update(len(part).to_bytes(8))
        content.update(part)
    return content.hexdigest()[:32]


def encode_piece(piece: Parts) -> Entry:
    """Write a piece, with where its parts end."""
    return [len(part) for part in piece], b"".join(piece)


def read_piece(lengths: Plain, body: bytes) -> Parts:
    """
    Read what `encode_piece` wrote.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(lengths, list):
        raise TypeError("a piece has no lengths")
    ends = accumulate(cast("list[int]", lengths), initial=0)
    return tuple(body[start:end] for start, end in pairwise(ends))

"""The resources of a snapshot, written and read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from penstock.store.pieces import cut, name_of
from xds.snapshot import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.store.packs import Entry
    from penstock.store.pieces import Parts, Pieces
    from translator.ir.plain import Plain

__all__ = ["Divided", "decode_divided", "decode_resource", "encode_divided", "encode_resource"]


def encode_resource(resource: Resource) -> Entry:
    """Write one resource of a snapshot as it was made, which is enough to make it again."""
    return [resource.content, cast("Plain", sorted(resource.requires))], resource.body


@dataclass(frozen=True, slots=True)
class Divided:
    """A large resource, which is saved in pieces."""

    content: str
    requires: frozenset[str]
    first: tuple[str, Parts]
    """The piece that says what it requires, which may be thousands of names."""
    body: Pieces

    @classmethod
    def of(cls, resource: Resource, before: Divided | None = None) -> Divided:
        """
        Divide a resource.

        Args:
            resource: The resource.
            before: One that has most in common with it.
        """
        if before is not None and before.requires == resource.requires:
            first = before.first
        else:
            piece = (json.dumps(sorted(resource.requires)).encode(),)
            first = name_of(piece), piece
        # A resource may be able to tell of which chunks its body is joined.
        parts: Parts = tuple(getattr(resource, "chunks", (resource.body,)))
        body = cut(parts, before.body if before is not None else None)
        return cls(resource.content, resource.requires, first, body)

    @property
    def pieces(self) -> tuple[tuple[str, Parts], ...]:
        """All of it, by name."""
        return self.first, *self.body.pieces


def encode_divided(divided: Divided) -> Entry:
    """Write which pieces a resource consists of."""
    return [divided.content, [name for name, _ in divided.pieces]], b""


def decode_divided(type_url: str, name: str, note: Plain, pieces: Mapping[str, Parts]) -> Resource:
    """
    Make a resource of its pieces.

    Raises:
        KeyError: A piece is not there.
        ValueError: It is no resource.
    """
    content, names = cast("tuple[str, list[str]]", note)
    first, *body = [pieces[each] for each in names]
    parts = tuple(part for piece in body for part in piece)
    return decode_resource(type_url, name, [content, json.loads(b"".join(first))], parts)


def decode_resource(type_url: str, name: str, note: Plain, parts: Parts) -> Resource:
    """
    Make a resource of what was written.

    Raises:
        ValueError: It is no resource.
    """
    # Its content is written too, for resources that can be made without hashing their bodies.
    _content, requires = cast("tuple[str, list[str]]", note)
    return Resource.of(type_url, name, b"".join(parts), requires=requires)

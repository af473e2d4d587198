"""The resources of a snapshot, written and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from xds.snapshot import Resource

if TYPE_CHECKING:
    from penstock.store.packs import Entry
    from penstock.store.pieces import Parts, Pieces
    from translator.ir.plain import Plain

__all__ = ["Divided", "decode_resource", "encode_divided", "encode_resource", "parts_of"]


class Divided(NamedTuple):
    """A resource whose body is saved in pieces."""

    resource: Resource
    pieces: Pieces


def parts_of(resource: Resource) -> Parts:
    """Return the parts of which a body is joined, as far as it tells."""
    return getattr(resource, "parts", None) or (resource.body,)


def encode_resource(resource: Resource) -> Entry:
    """Write one resource of a snapshot as it was made, which is enough to make it again."""
    return _note(resource), resource.body


def encode_divided(divided: Divided) -> Entry:
    """Write one resource of a snapshot without its body, which is in its pieces."""
    return [*_note(divided.resource), cast("Plain", divided.pieces.names)], b""


def _note(resource: Resource) -> list[Plain]:
    return [resource.content, cast("Plain", sorted(resource.requires))]


def decode_resource(type_url: str, name: str, note: Plain, parts: Parts) -> Resource:
    """
    Make a resource of what was written.

    Raises:
        ValueError: It is no resource.
    """
    # Its content is written too, for resources that can be made without hashing their bodies.
    _content, requires, *_ = cast("tuple[str, list[str]]", note)
    return Resource.of(type_url, name, b"".join(parts), requires=requires)

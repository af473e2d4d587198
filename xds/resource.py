"""
One named, encoded resource, in pieces that are encoded and hashed once.

A route configuration of a hundred thousand routes is 24 MB. An edit changes a few kB of it, so
neither its body nor the hash of its body may be made anew from all of it.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xds import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Part", "Resource", "digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a serialised message, which its next version may share."""

    chunks: tuple[bytes, ...]
    """Its bytes, to be joined."""
    digest: bytes
    """A hash of these bytes, and of how they are divided."""
    size: int
    """How many bytes there are."""
    requires: frozenset[str] = frozenset()
    """The names that it refers to; see `Resource.requires`."""

    @classmethod
    def of(cls, body: bytes, *, requires: Iterable[str] = ()) -> Part:
        """Make a part of a single chunk."""
        return cls(
            chunks=(body,), digest=digest(body), size=len(body), requires=frozenset(requires)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """
    One resource of one version, encoded once for all clients.

    In both protocols a response holds the body behind a short header, so that the body itself is
    never copied before the response is joined. Two are equal if they have the same name, content
    and version.
    """

    type_url: str
    """What it is."""
    name: str
    """The name by which clients ask for it, unique among its type."""
    version: str
    """The content's hash; for a load assignment in a snapshot, mixed with its clusters'."""
    content: str
    """A hash of the type and the body, or of its parts."""
    requires: frozenset[str] = field(compare=False)
    """The names it refers to; their type is given by `xds.types.REFERS_TO`."""
    pieces: bytes | tuple[Part, ...] = field(compare=False, repr=False)
    """The serialised message, whole or in parts."""
    size: int = field(compare=False, repr=False)
    """How long the serialised message is, in bytes."""
    delta_header: bytes = field(compare=False, repr=False)
    """With the body behind it, one `resources` field of a DeltaDiscoveryResponse."""

    @classmethod
    def of(
        cls,
        type_url: str,
        name: str,
        body: bytes,
        *,
        requires: Iterable[str] = (),
    ) -> Resource:
        """
        Make a resource from its serialised message.

        Args:
            type_url: What it is.
            name: Its name.
            body: The serialised message.
            requires: The names that it refers to.
        """
        content = _content(type_url, body)
        return cls._make(type_url, name, content, content, frozenset(requires), body)

    @classmethod
    def of_parts(cls, type_url: str, name: str, parts: Iterable[Part]) -> Resource:
        """
        Make a resource from the parts of its serialised message, at a cost of their number.

        Its content is a hash of the parts' hashes. So the same message must always be divided in
        the same way, whatever came before.
        """
        pieces = tuple(parts)
        content = _content(type_url, *(part.digest for part in pieces))
        requires = frozenset[str]().union(*(part.requires for part in pieces))
        return cls._make(type_url, name, content, content, requires, pieces)

    @classmethod
    def restored(
        cls,
        type_url: str,
        name: str,
        chunks: Iterable[bytes],
        *,
        requires: Iterable[str],
        content: str,
    ) -> Resource:
        """
        Make a resource that was written down, chunk by chunk, with the hash that it had.

        It keeps its version and its chunks, but cannot be the base of the next version.
        """
        body = tuple(chunks)
        part = Part(chunks=body, digest=b"", size=sum(map(len, body)))
        pieces = body[0] if len(body) == 1 else (part,)
        return cls._make(type_url, name, content, content, frozenset(requires), pieces)

    def with_version(self, version: str) -> Resource:
        """Return the same content under another version."""
        return self._make(
            self.type_url, self.name, version, self.content, self.requires, self.pieces
        )

    @classmethod
    def _make(
        cls,
        type_url: str,
        name: str,
        version: str,
        content: str,
        requires: frozenset[str],
        pieces: bytes | tuple[Part, ...],
    ) -> Resource:
        # Made here and not when it is sent: this is a worker's time, that is all streams'.
        size = len(pieces) if isinstance(pieces, bytes) else sum(part.size for part in pieces)
        # envoy.service.discovery.v3.Resource: version = 1, resource = 2, name = 3; the order of
        # fields is free, so the body can be last.
        head = b"".join(
            (
                wire.field(1, version.encode()),
                wire.field(3, name.encode()),
                _any_header(type_url, size),
            )
        )
        return cls(
            type_url=type_url,
            name=name,
            version=version,
            content=content,
            requires=requires,
            pieces=pieces,
            size=size,
            delta_header=wire.header(2, len(head) + size) + head,
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts that it was made of; none if it was made of a whole body."""
        return () if isinstance(self.pieces, bytes) else self.pieces

    @property
    def body(self) -> bytes:
        """Return the serialised message, which for one of parts is joined now."""
        return self.pieces if isinstance(self.pieces, bytes) else b"".join(self.chunks)

    @property
    def chunks(self) -> Iterable[bytes]:
        """Return the serialised message, to be joined."""
        if isinstance(self.pieces, bytes):
            return (self.pieces,)
        return (chunk for part in self.pieces for chunk in part.chunks)

    @property
    def sotw_header(self) -> bytes:
        """Return what makes of the body one `resources` field of a DiscoveryResponse."""
        return _any_header(self.type_url, self.size)


def digest(*parts: bytes) -> bytes:
    """
    Return the SHA-256 of some bytes.

    Each part goes in with its length, so that no two lists of parts look the same.
    """
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8))
        hashed.update(part)
    return hashed.digest()


def _content(type_url: str, *parts: bytes) -> str:
    # 64 bits: versions only have to differ from earlier ones of the same name.
    return digest(type_url.encode(), *parts)[:8].hex()


@functools.lru_cache(maxsize=4096)
def _any_header(type_url: str, size: int) -> bytes:
    """
    Encode what makes of a body a `google.protobuf.Any` in field 2 of another message.

    That is the number of `resources` in a DiscoveryResponse, and of `resource` in the Resource
    that the incremental protocol wraps around it. Hardly any size is rare: it is not kept with
    each resource, of which there may be tens of thousands.
    """
    # type_url = 1, value = 2
    head = wire.field(1, type_url.encode()) + wire.header(2, size)
    return wire.header(2, len(head) + size) + head

"""The file that says what there is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from penstock.store.packs import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.store.store import Facts

__all__ = ["Manifest", "ProxyObjects", "parse", "serialize"]

_MAGIC: Final = b"penstock-state"
_FORMAT: Final = 1
"""Goes up whenever what is written would be misread by an earlier version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyObjects:
    """Where the memory of one proxy is."""

    outline: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All objects of a state, by their digests."""

    snapshots: Mapping[str, tuple[str, ...]]
    """By proxy."""
    texts: tuple[str, ...]
    proxies: Mapping[str, ProxyObjects]
    facts: Facts

    @property
    def objects(self) -> Iterator[str]:
        """Yield the digests of everything that is needed."""
        for digests in self.snapshots.values():
            yield from digests
        yield from self.texts
        for proxy in self.proxies.values():
            yield proxy.outline
            yield from proxy.parts


def serialize(manifest: Manifest) -> bytes:
    """Write a manifest: a line with format and checksum, then JSON."""
    content = json.dumps(
        {
            "snapshots": manifest.snapshots,
            "texts": manifest.texts,
            "proxies": {
                name: {"outline": proxy.outline, "parts": proxy.parts}
                for name, proxy in manifest.proxies.items()
            },
            "facts": dict(manifest.facts),
        },
        indent=1,
    ).encode()
    return b"%s %d %s\n%s\n" % (_MAGIC, _FORMAT, digest(content).encode(), content)


def parse(data: bytes) -> Manifest:
    """
    Read a manifest.

    Raises:
        ValueError: It is damaged, of a newer version, or something else; the text says which.
    """
    first, _, rest = data.partition(b"\n")
    match first.split(b" "):
        case [magic, number, checksum] if magic == _MAGIC and number.isdigit():
            if int(number) > _FORMAT:
                raise ValueError(
                    f"it was written by a newer version (format {int(number)}, "
                    f"this version knows {_FORMAT})"
                )
        case _:
            raise ValueError("it is not a manifest of Penstock" if data else "it is empty")
    if not rest.endswith(b"\n") or digest(rest[:-1]).encode() != checksum:
        raise ValueError("its checksum is wrong")
    content = json.loads(rest)
    return Manifest(
        snapshots={name: tuple(digests) for name, digests in content["snapshots"].items()},
        texts=tuple(content["texts"]),
        proxies={
            name: ProxyObjects(outline=proxy["outline"], parts=tuple(proxy["parts"]))
            for name, proxy in content["proxies"].items()
        },
        facts=content["facts"],
    )

"""The file that says what there is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from penstock.store.packs import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.store.packing import Facts

__all__ = ["Manifest", "ProvenObjects", "ProxyObjects", "parse", "serialize"]

_MAGIC: Final = b"penstock-state"
_FORMAT: Final = 1
"""Goes up whenever what is written would be misread by an earlier version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyObjects:
    """Where the memory of one proxy is."""

    outline: str
    parts: tuple[str, ...]

    @property
    def objects(self) -> Iterator[str]:
        """Yield the digests of all of it."""
        yield self.outline
        yield from self.parts


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenObjects:
    """Where the memory is of what was accepted of one proxy."""

    memory: ProxyObjects
    texts: tuple[str, ...]
    """Of resources that were others then."""
    absent: tuple[tuple[str, str, str], ...]
    """The resources that were not there then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All objects of a state, by their digests."""

    snapshots: Mapping[str, tuple[str, ...]]
    """By proxy."""
    texts: tuple[str, ...]
    proxies: Mapping[str, ProxyObjects]
    facts: Facts
    accepted: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Snapshots, by proxy and the id of an Envoy, or no id for all."""
    proven: Mapping[str, ProvenObjects] = field(default_factory=dict)
    """By proxy."""
    verdicts: str = ""
    """Empty if there are none."""

    @property
    def objects(self) -> Iterator[str]:
        """Yield the digests of everything that is needed."""
        for digests in self.snapshots.values():
            yield from digests
        yield from self.texts
        for proxy in self.proxies.values():
            yield from proxy.objects
        for _, _, digests in self.accepted:
            yield from digests
        for proven in self.proven.values():
            yield from proven.memory.objects
            yield from proven.texts
        if self.verdicts:
            yield self.verdicts


def serialize(manifest: Manifest) -> bytes:
    """Write a manifest: a line with format and checksum, then JSON."""
    content = json.dumps(
        {
            "snapshots": manifest.snapshots,
            "texts": manifest.texts,
            "proxies": {name: _plain(proxy) for name, proxy in manifest.proxies.items()},
            "accepted": manifest.accepted,
            "proven": {
                name: {**_plain(each.memory), "texts": each.texts, "absent": each.absent}
                for name, each in manifest.proven.items()
            },
            "verdicts": manifest.verdicts,
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
        proxies={name: _proxy(proxy) for name, proxy in content["proxies"].items()},
        facts=content["facts"],
        # Earlier versions did not listen to Envoys.
        accepted=tuple(
            (proxy, node, tuple(digests)) for proxy, node, digests in content.get("accepted", ())
        ),
        proven={
            name: ProvenObjects(
                memory=_proxy(each),
                texts=tuple(each["texts"]),
                absent=tuple((kind, namespace, own) for kind, namespace, own in each["absent"]),
            )
            for name, each in content.get("proven", {}).items()
        },
        verdicts=content.get("verdicts", ""),
    )


def _plain(objects: ProxyObjects) -> dict[str, object]:
    return {"outline": objects.outline, "parts": objects.parts}


def _proxy(plain: Mapping[str, Any]) -> ProxyObjects:
    return ProxyObjects(outline=plain["outline"], parts=tuple(plain["parts"]))

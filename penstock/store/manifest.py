"""The file that says what there is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.store.packing import Facts

__all__ = ["Manifest", "ProvenObjects", "ProxyObjects", "parse", "serialize"]

_MAGIC: Final = b"penstock-state"
_FORMAT: Final = 2
"""Goes up whenever what is written would be misread by an earlier version."""

Names: TypeAlias = tuple[str, ...]
"""The objects of a pack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyObjects:
    """Where the memory of one proxy is."""

    outline: str
    clusters: Names
    assignments: Names
    routes: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenObjects:
    """Where the memory is of what was accepted of one proxy."""

    memory: ProxyObjects
    texts: Names
    """Of resources that were others then."""
    absent: tuple[tuple[str, str, str], ...]
    """The resources that were not there then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All objects of a state, by their digests."""

    snapshots: Mapping[str, Mapping[str, Names]]
    """By proxy and type."""
    pieces: Names
    """The bodies of large resources."""
    texts: Names
    proxies: Mapping[str, ProxyObjects]
    facts: Facts
    accepted: tuple[tuple[str, str, Mapping[str, Names]], ...] = ()
    """Snapshots, by proxy and the id of an Envoy, or no id for all."""
    proven: Mapping[str, ProvenObjects] = field(default_factory=lambda: MappingProxyType({}))
    """By proxy."""
    verdicts: Names = ()


def serialize(manifest: Manifest) -> tuple[bytes, frozenset[str]]:
    """
    Write a manifest: a line with format and checksum, then JSON.

    Returns:
        What is written, and all objects that it names.
    """
    lists = _Lists()

    def proxy(objects: ProxyObjects) -> list[int]:
        packs = objects.clusters, objects.assignments, objects.routes
        return [lists.number((objects.outline,)), *map(lists.number, packs)]

    def snapshot(types: Mapping[str, Names]) -> dict[str, int]:
        return {url: lists.number(names) for url, names in types.items()}

    content = {
        "snapshots": {name: snapshot(types) for name, types in manifest.snapshots.items()},
        "accepted": [(name, node, snapshot(types)) for name, node, types in manifest.accepted],
        "pieces": lists.number(manifest.pieces),
        "texts": lists.number(manifest.texts),
        "proxies": {name: proxy(each) for name, each in manifest.proxies.items()},
        "proven": {
            name: [proxy(each.memory), lists.number(each.texts), each.absent]
            for name, each in manifest.proven.items()
        },
        "verdicts": lists.number(manifest.verdicts),
        "facts": dict(manifest.facts),
        "objects": list(lists.numbers),
    }
    data = json.dumps(content).encode()
    named = frozenset(name for names in lists.numbers for name in names)
    return b"%s %d %s\n%s\n" % (_MAGIC, _FORMAT, _checksum(data), data), named


class _Lists:
    """Lists of objects, each written once: what was accepted is mostly what is served."""

    def __init__(self) -> None:
        self.numbers: dict[Names, int] = {}

    def number(self, names: Names) -> int:
        return self.numbers.setdefault(names, len(self.numbers))


def parse(data: bytes) -> Manifest:
    """
    Read a manifest.

    Raises:
        ValueError: It is damaged, of another format, or something else; the text says which.
    """
    first, _, rest = data.partition(b"\n")
    match first.split(b" "):
        case [magic, number, checksum] if magic == _MAGIC and number.isdigit():
            if int(number) != _FORMAT:
                age = "a newer" if int(number) > _FORMAT else "an earlier"
                raise ValueError(
                    f"it was written by {age} version (format {int(number)}, "
                    f"this version knows {_FORMAT})"
                )
        case _:
            raise ValueError("it is not a manifest of Penstock" if data else "it is empty")
    if not rest.endswith(b"\n") or _checksum(rest[:-1]) != checksum:
        raise ValueError("its checksum is wrong")
    content = json.loads(rest)
    lists: list[Names] = [tuple(names) for names in content["objects"]]

    def proxy(plain: list[int]) -> ProxyObjects:
        (outline,), clusters, assignments, routes = map(lists.__getitem__, plain)
        return ProxyObjects(
            outline=outline, clusters=clusters, assignments=assignments, routes=routes
        )

    def snapshot(plain: dict[str, int]) -> dict[str, Names]:
        return {url: lists[number] for url, number in plain.items()}

    return Manifest(
        snapshots={name: snapshot(types) for name, types in content["snapshots"].items()},
        accepted=tuple((name, node, snapshot(types)) for name, node, types in content["accepted"]),
        pieces=lists[content["pieces"]],
        texts=lists[content["texts"]],
        proxies={name: proxy(each) for name, each in content["proxies"].items()},
        proven={
            name: ProvenObjects(
                memory=proxy(memory),
                texts=lists[texts],
                absent=tuple((kind, namespace, own) for kind, namespace, own in absent),
            )
            for name, (memory, texts, absent) in content["proven"].items()
        },
        verdicts=lists[content["verdicts"]],
        facts=content["facts"],
    )


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()

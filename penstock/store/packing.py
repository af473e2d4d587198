"""From a checkpoint to objects, and the manifest that names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from penstock.store import records
from penstock.store.manifest import Manifest, ProvenObjects, ProxyObjects
from penstock.store.packs import Packer, digest
from translator.policy import WHOLE_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from translator.ir.plain import Plain
    from translator.policy import Good, Memory, ProxyMemory
    from translator.report import ResourceRef
    from xds.snapshot import Resource, Snapshot

__all__ = ["Checkpoint", "CheckpointPacker", "Facts"]

Facts: TypeAlias = "Mapping[str, Plain]"
"""What the program wants to know of the past besides; the store does not look into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything that is to be there after a restart."""

    snapshots: Mapping[str, Snapshot]
    """What is served, by proxy."""
    memory: Memory
    """What the translator must know of the past."""
    facts: Facts = field(default_factory=lambda: MappingProxyType({}))
    """What the program must know of it besides."""
    accepted: Mapping[tuple[str, str], Snapshot] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """What Envoys accepted last, by proxy and the id of one Envoy, or no id for all of them."""
    verdicts: bytes = b"[]"
    """What Envoys said, as a `VerdictWriter` wrote it."""


class CheckpointPacker:
    """Packs checkpoints one after the other, and encodes only what changed."""

    def __init__(self) -> None:
        self._resources: dict[str, Packer[Resource]] = {}
        self._texts = Packer(records.encode_text)
        self._former: dict[str, Packer[records.Text]] = {}
        self._splitters: dict[str, records.ProxySplitter] = {}
        self._parts: dict[str, Packer[records.Part]] = {}

    def pack(self, checkpoint: Checkpoint, objects: dict[str, Callable[[], bytes]]) -> Manifest:
        """
        Collect all objects of a checkpoint, and return what names them.

        Args:
            checkpoint: What to pack.
            objects: Where the objects are put, by digest, each with what gives its bytes.
        """

        def named(packed: dict[str, Callable[[], bytes]]) -> tuple[str, ...]:
            objects.update(packed)
            return tuple(packed)

        snapshots: dict[str, tuple[str, ...]] = {}
        for name, snapshot in sorted(checkpoint.snapshots.items()):
            packer = self._resources.setdefault(name, Packer(records.encode_resource))
            snapshots[name] = named(packer.pack(records.resources_of(snapshot)))
        accepted: list[tuple[str, str, tuple[str, ...]]] = []
        for (name, node), snapshot in sorted(checkpoint.accepted.items()):
            if checkpoint.snapshots.get(name) is snapshot:
                accepted.append((name, node, snapshots[name]))
                continue
            packer = self._resources.setdefault(f"{name} {node}", Packer(records.encode_resource))
            accepted.append((name, node, named(packer.pack(records.resources_of(snapshot)))))

        def split(key: str, memory: ProxyMemory) -> ProxyObjects:
            splitter = self._splitters.setdefault(key, records.ProxySplitter())
            outline, parts = splitter.split(memory)
            parts_packer = self._parts.setdefault(key, Packer(records.encode_part))
            objects[digest(outline)] = lambda: outline
            return ProxyObjects(
                outline=digest(outline), parts=named(parts_packer.pack(parts.items()))
            )

        current = checkpoint.memory
        proxies = {name: split(name, memory) for name, memory in sorted(current.proxies.items())}
        proven: dict[str, ProvenObjects] = {}
        for name, past in sorted(current.proven.items()):
            others, absent = _differences(past.resources, current.resources)
            same = current.proxies.get(name) is past.proxy
            texts_packer = self._former.setdefault(name, Packer(records.encode_text))
            proven[name] = ProvenObjects(
                memory=proxies[name] if same else split(f"{name} proven", past.proxy),
                texts=named(texts_packer.pack(records.texts_of(others))),
                absent=absent,
            )
        texts = named(self._texts.pack(records.texts_of(current.resources)))
        objects[digest(checkpoint.verdicts)] = lambda: checkpoint.verdicts
        return Manifest(
            snapshots=snapshots,
            texts=texts,
            proxies=proxies,
            facts=checkpoint.facts,
            accepted=tuple(accepted),
            proven=proven,
            verdicts=digest(checkpoint.verdicts),
        )


def _differences(
    past: Mapping[ResourceRef, Good], now: Mapping[ResourceRef, Good]
) -> tuple[dict[ResourceRef, Good], tuple[tuple[str, str, str], ...]]:
    """Return what was another resource in the past, and what was none."""
    others = {ref: good for ref, good in past.items() if now.get(ref) != good}
    absent = tuple(
        (ref.kind, ref.namespace, ref.name)
        for ref in now
        if ref.kind in WHOLE_KINDS and ref not in past
    )
    return others, absent

"""From a checkpoint to objects, and the manifest that names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock.store.comparing import changes
from penstock.store.manifest import Manifest, ProvenObjects, ProxyObjects
from penstock.store.packs import Packer
from penstock.store.pieces import encode_piece
from penstock.store.proxies import Division, RoutePart, encode_ir, encode_routes
from penstock.store.recent import Recent
from penstock.store.records import Divided, encode_divided, encode_resource
from penstock.store.testimony import Said, encode_said, name_of
from penstock.store.texts import Text, Texts, encode_texts
from translator.policy import WHOLE_KINDS
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.store.objects import Objects
    from penstock.store.pieces import Parts
    from translator import ir
    from translator.ir.plain import Plain
    from translator.policy import Good, Memory, Proven, ProxyMemory
    from translator.report import ResourceRef
    from xds.snapshot import Resource, Snapshot
    from xds.verdicts import Content

__all__ = ["Checkpoint", "CheckpointPacker", "Facts"]

Facts: TypeAlias = "Mapping[str, Plain]"
"""What the program wants to know of the past besides; the store does not look into it."""

_VERDICTS_PER_BUCKET: Final = 128
"""They are short, and what is new is often said of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """
    Everything that is to be there after a restart.

    What did not change since the checkpoint before should be the same objects: only what is
    another object is looked at.
    """

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
    verdicts: Mapping[Content, Said] = field(default_factory=lambda: MappingProxyType({}))
    """What Envoys said, as a `VerdictRecord` took it down."""


class CheckpointPacker:
    """Packs checkpoints one after the other, and encodes only what changed."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._large: Recent[Resource, Divided] = Recent()
        self._resources: Packer[str, Resource] = Packer(encode_resource)
        self._divided: Packer[str, Divided] = Packer(encode_divided)
        # Each is large enough for an object of its own.
        self._pieces: Packer[str, Parts] = Packer(encode_piece, per_bucket=1)
        self._good: Recent[Mapping[ResourceRef, Good], Texts] = Recent()
        self._texts: Packer[str, tuple[Text, ...]] = Packer(encode_texts)
        self._divisions: Recent[ProxyMemory, Division] = Recent()
        self._clusters: Packer[str, ir.Cluster] = Packer(encode_ir)
        self._assignments: Packer[str, ir.LoadAssignment] = Packer(encode_ir)
        self._routes: Packer[str, RoutePart] = Packer(encode_routes)
        self._verdicts: Packer[Content, Said] = Packer(
            encode_said, name_of, per_bucket=_VERDICTS_PER_BUCKET
        )

    def pack(self, checkpoint: Checkpoint) -> Manifest:
        """
        Put a checkpoint into objects, and return what names them.

        It builds on what was packed last, if that was settled.

        Raises:
            OSError: They cannot be written.
        """
        for each in self._recents:
            each.drop()  # what may be left of a save that failed
        pieces: dict[str, Parts] = {}
        snapshots = {
            name: self._pack_snapshot((name,), snapshot, pieces)
            for name, snapshot in sorted(checkpoint.snapshots.items())
        }
        accepted = tuple(
            (name, node, self._pack_snapshot((name, node), snapshot, pieces))
            for (name, node), snapshot in sorted(checkpoint.accepted.items())
        )
        memory, objects = checkpoint.memory, self._objects
        texts = self._good.get("", memory.resources, Texts.of)
        return Manifest(
            snapshots=snapshots,
            accepted=accepted,
            pieces=self._pieces.pack("", pieces, objects),
            texts=self._texts.pack("", texts.by_origin, objects),
            proxies={
                name: self._pack_proxy((name,), each)
                for name, each in sorted(memory.proxies.items())
            },
            proven={
                name: self._pack_proven(name, each, texts)
                for name, each in sorted(memory.proven.items())
            },
            verdicts=self._verdicts.pack("", checkpoint.verdicts, objects),
            facts=checkpoint.facts,
        )

    def settle(self) -> None:
        """Build on what was packed: it is saved."""
        for each in self._recents:
            each.settle()

    @property
    def _recents(self) -> tuple[Recent[Any, Any], ...]:
        packers = (
            *(self._resources, self._divided, self._pieces, self._texts),
            *(self._clusters, self._assignments, self._routes, self._verdicts),
        )
        return self._large, self._good, self._divisions, *(each.recent for each in packers)

    def _pack_snapshot(
        self, part: tuple[str, ...], snapshot: Snapshot, pieces: dict[str, Parts]
    ) -> dict[str, tuple[str, ...]]:
        """Pack a snapshot by type; what is served is the first to ask for what else is near it."""
        found: dict[str, tuple[str, ...]] = {}
        for url in snapshot.types():
            given, own, like = snapshot.resources(url), (url, *part), (url, part[0])
            if url != ROUTE_CONFIGURATION:
                found[url] = self._resources.pack(own, given, self._objects, like=like)
                continue
            divided = {
                name: self._large.get((name, *own), resource, Divided.of, like=(name, *like))
                for name, resource in given.items()
            }
            for each in divided.values():
                pieces.update(each.pieces)
            found[url] = self._divided.pack(own, divided, self._objects, like=like)
        return found

    def _pack_proxy(self, part: tuple[str, ...], memory: ProxyMemory) -> ProxyObjects:
        like, objects = part[:1], self._objects
        division = self._divisions.get(part, memory, Division.of, like=like)
        return ProxyObjects(
            outline=objects.put(division.outline),
            clusters=self._clusters.pack(part, division.clusters, objects, like=like),
            assignments=self._assignments.pack(part, division.assignments, objects, like=like),
            routes=self._routes.pack(part, division.routes, objects, like=like),
        )

    def _pack_proven(self, name: str, past: Proven, texts: Texts) -> ProvenObjects:
        changed, gone = changes(texts.resources, past.resources)
        others = {ref: good for ref, good in changed.items() if ref.kind in WHOLE_KINDS}
        absent = [ref for ref in gone if ref.kind in WHOLE_KINDS]
        return ProvenObjects(
            memory=self._pack_proxy((name, "proven"), past.proxy),
            texts=self._texts.pack(name, Texts.of(others).by_origin, self._objects),
            absent=tuple((ref.kind, ref.namespace, ref.name) for ref in absent),
        )

"""From the objects that a manifest names to what was saved."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from penstock.store.packs import unpack
from penstock.store.pieces import read_piece
from penstock.store.proxies import Joiner
from penstock.store.records import decode_divided, decode_resource
from penstock.store.testimony import decode_verdict
from penstock.store.texts import decode_texts, read_text
from translator.policy import WHOLE_KINDS, Memory, Proven
from translator.report import ResourceRef
from translator.texts import read_file
from xds.snapshot import Snapshot
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.store.manifest import Manifest, Names, ProxyObjects
    from penstock.store.objects import Objects
    from penstock.store.pieces import Parts
    from translator.ir.plain import Plain
    from translator.policy import Good, ProxyMemory
    from translator.texts import FileReading
    from xds.snapshot import Resource
    from xds.verdicts import Content, Verdict

__all__ = ["Restorer", "reason"]

_DAMAGE: Final = (OSError, ValueError, LookupError, TypeError)
"""What reading an object raises that is not there, is damaged, or is of no use to this version."""


class Restorer:
    """Reads what a manifest names; what is read once is the same object everywhere."""

    def __init__(self, objects: Objects, manifest: Manifest) -> None:
        self._objects = objects
        self._manifest = manifest
        self.problems: list[str] = []
        """What is damaged and was left out, a sentence each."""

    def snapshots(self) -> tuple[dict[str, Snapshot], dict[tuple[str, str], Snapshot]]:
        """Read what was served, by proxy, and what was accepted, by proxy and Envoy."""
        reader = _SnapshotReader(self._objects, self._manifest.pieces)
        served: dict[str, Snapshot] = {}
        for name, types in self._manifest.snapshots.items():
            try:
                served[name] = reader.read(types)
            except _DAMAGE as error:
                self.problems.append(f"what proxy '{name}' was served is lost: {reason(error)}")
        accepted: dict[tuple[str, str], Snapshot] = {}
        for name, node, types in self._manifest.accepted:
            near = served.get(name), self._manifest.snapshots.get(name, {})
            try:
                accepted[name, node] = reader.read(types, *near)
            except _DAMAGE as error:
                self.problems.append(f"what proxy '{name}' accepted is lost: {reason(error)}")
        return served, accepted

    def verdicts(self) -> Iterator[tuple[Content, Verdict]]:
        """Read what Envoys said."""
        for name in self._manifest.verdicts:
            try:
                found = [decode_verdict(key, note) for key, note, _ in self._unpack(name)]
            except _DAMAGE as error:
                self.problems.append(f"what Envoys said is lost: {reason(error)}")
            else:
                yield from found

    def memory(self) -> tuple[Memory, dict[str, FileReading]]:
        """Read what the translator knew, and tell how texts were read on the way, by origin."""
        manifest, joiner = self._manifest, Joiner()
        readings: dict[str, FileReading] = {}
        resources = self._resources(manifest.texts, readings)
        proxies: dict[str, ProxyMemory] = {}
        for name, objects in manifest.proxies.items():
            try:
                proxies[name] = self._proxy(objects, joiner)
            except _DAMAGE as error:
                self.problems.append(
                    f"the last good routes of proxy '{name}' are lost: {reason(error)}"
                )
        proven: dict[str, Proven] = {}
        for name, past in manifest.proven.items():
            absent = {ResourceRef(*each) for each in past.absent}
            former = {
                ref: good
                for ref, good in resources.items()
                if ref.kind in WHOLE_KINDS and ref not in absent
            } | self._resources(past.texts, {})
            same = past.memory == manifest.proxies.get(name)
            try:
                proxy = proxies.get(name) if same else None
                proven[name] = Proven(
                    proxy=proxy or self._proxy(past.memory, joiner), resources=former
                )
            except _DAMAGE as error:
                self.problems.append(
                    f"what Envoy accepted of proxy '{name}' is lost: {reason(error)}"
                )
        return (
            Memory(
                resources=resources,
                proxies=proxies,
                proven=proven,
            ),
            readings,
        )

    def _resources(self, names: Names, readings: dict[str, FileReading]) -> dict[ResourceRef, Good]:
        """Read resources from their texts, and note how the texts were read."""
        resources: dict[ResourceRef, Good] = {}
        for name in names:
            try:
                found = [
                    (origin, text)
                    for origin, note, body in self._unpack(name)
                    for text in decode_texts(note, body)
                ]
            except _DAMAGE as error:
                self.problems.append(f"last good resources are lost: {reason(error)}")
                continue
            for origin, text in found:
                reading = readings[origin] = read_file(origin, text.text)
                good = read_text(origin, text, reading)
                resources |= good
                self.problems += [
                    f"the last good version of {ref}, from '{origin}', is no longer valid"
                    for ref in text.refs
                    if ref not in good
                ]
        return resources

    def _proxy(self, objects: ProxyObjects, joiner: Joiner) -> ProxyMemory:
        def bodies(names: Names) -> list[bytes]:
            return [body for name in names for _, _, body in self._unpack(name)]

        routes = {key: body for name in objects.routes for key, _, body in self._unpack(name)}
        outline = self._objects.read(objects.outline)
        return joiner.join(outline, bodies(objects.clusters), bodies(objects.assignments), routes)

    def _unpack(self, name: str) -> Iterator[tuple[str, Plain, bytes]]:
        return unpack(self._objects.read(name))


class _SnapshotReader:
    """Reads snapshots that have most resources in common."""

    def __init__(self, objects: Objects, pieces: Names) -> None:
        self._objects = objects
        self._pieces: dict[str, Parts] = {}
        self._lost = "a piece is missing"
        for name in pieces:
            try:
                for key, note, body in unpack(objects.read(name)):
                    self._pieces[key] = read_piece(note, body)
            except _DAMAGE as error:
                self._lost = reason(error)  # whoever needs one of its pieces will tell
        self._known: dict[tuple[str, str], tuple[Resource, ...]] = {}

    def read(
        self,
        types: Mapping[str, Names],
        near: Snapshot | None = None,
        near_types: Mapping[str, Names] = MappingProxyType({}),
    ) -> Snapshot:
        """
        Read a snapshot.

        Args:
            types: Its objects by type.
            near: Another one, of which it takes over the types that are the same.
            near_types: The objects of that one.

        Raises:
            OSError: An object is not there.
            ValueError: One is damaged.
        """
        if near is None:
            every = (each for url, names in types.items() for each in self._resources(url, names))
            return Snapshot.of(every)
        for url in sorted({*types, *near_types}):
            if types.get(url) != near_types.get(url):
                near = near.replace(url, self._resources(url, types.get(url, ())))
        return near

    def _resources(self, url: str, names: Names) -> Iterator[Resource]:
        for name in names:
            known = self._known.get((url, name))
            if known is None:
                known = self._known[url, name] = tuple(self._decode(url, self._objects.read(name)))
            yield from known

    def _decode(self, url: str, data: bytes) -> Iterator[Resource]:
        for name, note, body in unpack(data):
            if url != ROUTE_CONFIGURATION:
                yield decode_resource(url, name, note, (body,))
                continue
            try:
                yield decode_divided(url, name, note, self._pieces)
            except KeyError:
                raise ValueError(self._lost) from None


def reason(error: Exception) -> str:
    """Say what happened."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error)

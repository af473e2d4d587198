from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from penstock.errors import StateUnwritable
from penstock.store import files, records
from penstock.store.manifest import Manifest, ProxyObjects, parse, serialize
from penstock.store.packing import Checkpoint, CheckpointPacker, Facts
from penstock.store.packs import digest, unpack
from penstock.store.testimony import read_verdicts
from translator.pipeline import read_file
from translator.policy import WHOLE_KINDS, Memory, Proven
from translator.report import ResourceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from translator.pipeline import FileReading
    from translator.policy import Good, ProxyMemory
    from xds.snapshot import Snapshot
    from xds.verdicts import Content, Verdict

K = TypeVar("K", str, tuple[str, str])

_OURS: Final = re.compile(rf"[0-9a-f]{{64}}({re.escape(files.DRAFT)})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """What an earlier process served."""

    snapshots: Mapping[str, Snapshot]
    """By proxy; empty if nothing was saved."""
    facts: Facts
    problems: tuple[str, ...]
    """What is damaged and was left out, a sentence each."""
    accepted: Mapping[tuple[str, str], Snapshot] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """What Envoys accepted last, by proxy and the id of one Envoy, or no id for all of them."""
    verdicts: tuple[tuple[Content, Verdict], ...] = ()
    """What Envoys said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What an earlier process knew."""

    memory: Memory
    files: Mapping[str, FileReading]
    """The readings that were made on the way, by origin, for the next translation to reuse."""
    problems: tuple[str, ...]
    """What is damaged and was left out, a sentence each."""


class Store:
    """
    The state directory of this process.

    First `load`, then `recall`, then `save` as often as one likes, one call at a time but in any
    thread.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        """Where it is."""
        self.problem = ""
        """Why nothing can be saved, if that is known before trying."""
        self._objects = directory / "objects"
        self._path = directory / "manifest"
        self._lock: files.Lock | None = None
        self._manifest: Manifest | None = None
        """What was loaded, until it is recalled."""
        self._saved: bytes | None = None
        """The manifest on disk, if all that it names is there as well."""
        self._stamp: tuple[int, ...] | None = None
        """By what it is seen that nobody else touched the manifest."""
        self._present: set[str] = set()
        """Objects that were seen to be whole."""
        self._loaded = False
        self._closed = False
        self._busy = threading.Lock()
        self._packer = CheckpointPacker()

    @classmethod
    def open(cls, directory: Path) -> Self:
        """
        Open a state directory, and make it if it is not there.

        One that cannot be written is no reason not to serve: its `problem` tells why, each save
        tries again, and what can be read is loaded.

        Raises:
            StateInUse: Another process has it open.
        """
        store = cls(directory)
        try:
            store._prepare()
        except OSError as error:
            store.problem = _sentence(directory, error)
        return store

    def close(self) -> None:
        """Let another process have the directory, once a save at hand is done."""
        with self._busy:
            self._closed = True
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def load(self) -> LastGood:
        """
        Load what was served last: all that is needed to answer an Envoy.

        What is damaged is reported, left out, and kept aside as `manifest.damaged`, since the
        next save takes its place.
        """
        self._loaded = True
        nothing = LastGood(snapshots={}, facts={}, problems=())
        try:
            data = files.read(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return nothing
        except OSError as error:
            problem = f"the manifest in '{self.directory}' cannot be read: {_reason(error)}"
            if self._path.is_dir():
                with suppress(OSError):
                    self._path.rename(self._aside)
            return LastGood(snapshots={}, facts={}, problems=(problem,))
        try:
            manifest = parse(data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"the manifest in '{self.directory}' cannot be used: {error}"
            return LastGood(snapshots={}, facts={}, problems=self._keep_aside(data, [problem]))
        problems: list[str] = []
        served = self._load_snapshots(manifest.snapshots.items(), "was served", problems)
        accepted = self._load_snapshots(
            (((name, node), digests) for name, node, digests in manifest.accepted),
            "accepted",
            problems,
        )
        verdicts: tuple[tuple[Content, Verdict], ...] = ()
        try:
            if manifest.verdicts:
                verdicts = read_verdicts(self._read(manifest.verdicts))
        except (OSError, ValueError) as error:
            problems.append(f"what Envoys said is lost: {_reason(error)}")
        self._manifest = manifest
        self._saved = data
        return LastGood(
            snapshots=served,
            facts=manifest.facts,
            problems=self._keep_aside(data, problems),
            accepted=accepted,
            verdicts=verdicts,
        )

    def recall(self) -> Recalled:
        """
        Load what the translator knew last; takes longer, and can only be asked once.

        Resources are read again from their texts. One that this version no longer accepts is
        reported and left out, and so is what is damaged.
        """
        manifest, self._manifest = self._manifest, None
        if manifest is None:
            return Recalled(memory=Memory(), files={}, problems=())
        problems: list[str] = []
        readings: dict[str, FileReading] = {}
        resources = self._recall_resources(manifest.texts, readings, problems)
        proxies: dict[str, ProxyMemory] = {}
        for name, objects in manifest.proxies.items():
            try:
                proxies[name] = self._recall_proxy(objects)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"the last good routes of proxy '{name}' are lost: {error}")
        proven: dict[str, Proven] = {}
        for name, past in manifest.proven.items():
            absent = {ResourceRef(*each) for each in past.absent}
            former = {
                ref: good
                for ref, good in resources.items()
                if ref.kind in WHOLE_KINDS and ref not in absent
            } | self._recall_resources(past.texts, {}, problems)
            try:
                proven[name] = Proven(proxy=self._recall_proxy(past.memory), resources=former)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"what Envoy accepted of proxy '{name}' is lost: {error}")
        memory = Memory(
            resources={ref: resources[ref] for ref in sorted(resources)},
            proxies=proxies,
            proven=proven,
        )
        kept = self._keep_aside(self._saved, problems) if self._saved is not None else ()
        return Recalled(memory=memory, files=readings, problems=kept or tuple(problems))

    def _load_snapshots(
        self, named: Iterable[tuple[K, tuple[str, ...]]], what: str, problems: list[str]
    ) -> dict[K, Snapshot]:
        snapshots: dict[K, Snapshot] = {}
        for key, digests in named:
            try:
                values = [value for each in digests for value in unpack(self._read(each))]
                snapshots[key] = records.join_snapshot(values)
            except (OSError, ValueError, KeyError, TypeError) as error:
                proxy = key if isinstance(key, str) else key[0]
                problems.append(f"what proxy '{proxy}' {what} is lost: {_reason(error)}")
        return snapshots

    def _recall_resources(
        self, digests: Iterable[str], readings: dict[str, FileReading], problems: list[str]
    ) -> dict[ResourceRef, Good]:
        """Read resources from their texts, and note how the texts were read."""
        resources: dict[ResourceRef, Good] = {}
        for each in digests:
            try:
                texts = [records.text_of(value) for _, value in unpack(self._read(each))]
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"last good resources are lost: {_reason(error)}")
                continue
            for text in texts:
                reading = readings[text.origin] = read_file(text.origin, text.text)
                found = records.read_text(text, reading)
                resources |= found
                problems += [
                    f"the last good version of {ref}, from '{text.origin}', is no longer valid"
                    for ref in text.refs
                    if ref not in found
                ]
        return resources

    def _recall_proxy(self, objects: ProxyObjects) -> ProxyMemory:
        outline = self._read(objects.outline)
        parts = dict(value for each in objects.parts for value in unpack(self._read(each)))
        return records.join_proxy(outline, parts)

    def save(self, checkpoint: Checkpoint) -> bool:
        """
        Save a checkpoint in the place of the one before.

        Returns:
            Whether anything was written; nothing is if nothing changed.

        Raises:
            StateError: It cannot be saved; the checkpoint before is still there.
        """
        if not self._loaded:
            raise RuntimeError("what was saved before must be loaded first")
        with self._busy:
            if self._closed:
                raise StateUnwritable(f"the state directory '{self.directory}' is closed")
            return self._save(checkpoint)

    def _save(self, checkpoint: Checkpoint) -> bool:
        objects: dict[str, Callable[[], bytes]] = {}
        manifest = self._packer.pack(checkpoint, objects)
        data = serialize(manifest)
        try:
            if data == self._saved and self._stamp is not None and self._stamp == self._look():
                return False
            self._prepare()
            self._write(data, objects)
        except OSError as error:
            self.problem = _sentence(self.directory, error)
            raise StateUnwritable(self.problem) from error
        self.problem = ""
        return True

    def _prepare(self) -> None:
        """Make the directory, and take the lock."""
        files.make_folder(self._objects)
        if self._lock is None or not self._lock.in_place():
            self._release()
            self._lock = files.Lock(self.directory / "lock")

    def _write(self, data: bytes, objects: Mapping[str, Callable[[], bytes]]) -> None:
        """Write what is missing, then what names it, then remove what nothing names."""
        self._saved = None
        there = {path.name for path in self._objects.iterdir()}
        missing = [name for name in objects if name not in there or name not in self._present]
        for name in missing:
            files.write(self._objects / name, objects[name]())
        if missing:
            files.sync_folder(self._objects)
        self._present = set(objects)
        files.write(self._path, data)
        files.sync_folder(self.directory)
        self._saved = data
        self._stamp = self._look()
        for name in there - objects.keys():
            if _OURS.fullmatch(name):
                with suppress(OSError):  # the next save tries again
                    (self._objects / name).unlink()

    def _read(self, name: str) -> bytes:
        """
        Read an object.

        Raises:
            OSError: It is not there.
            ValueError: It is not what it was.
        """
        data = files.read(self._objects / name)
        if digest(data) != name:
            raise ValueError(f"the object {name} is damaged")
        self._present.add(name)
        return data

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    @property
    def _aside(self) -> Path:
        return self._path.with_name("manifest.damaged")

    def _keep_aside(self, data: bytes, problems: Iterable[str]) -> tuple[str, ...]:
        """Keep a copy of a manifest that has problems, and return them."""
        found = tuple(problems)
        if not found:
            self._stamp = self._look()
            return ()
        self._saved = None
        try:
            files.write(self._aside, data)
        except OSError as error:
            return (*found, f"the damaged manifest cannot be kept aside: {_reason(error)}")
        return found


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error)


def _sentence(directory: Path, error: OSError) -> str:
    return f"the state cannot be saved in '{directory}': {_reason(error)}"

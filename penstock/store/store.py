"""The state directory of this process."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from penstock.errors import StateUnwritable
from penstock.store import files
from penstock.store.manifest import Manifest, parse, serialize
from penstock.store.objects import Objects
from penstock.store.packing import Checkpoint, CheckpointPacker, Facts
from penstock.store.restoring import Restorer, reason
from translator.policy import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from translator.texts import FileReading
    from xds.snapshot import Snapshot
    from xds.verdicts import Content, Verdict


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
        self._objects = Objects(directory / "objects")
        self._path = directory / "manifest"
        self._lock: files.Lock | None = None
        self._manifest: Manifest | None = None
        """What was loaded, until it is recalled."""
        self._saved: bytes | None = None
        """The manifest on disk, if all that it names is there as well."""
        self._stamp: tuple[int, ...] | None = None
        """By what it is seen that nobody else touched the manifest."""
        self._loaded = False
        self._closed = False
        self._busy = threading.Lock()
        self._packer = CheckpointPacker(self._objects)

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
            self._objects.close()
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
            problem = f"the manifest in '{self.directory}' cannot be read: {reason(error)}"
            if self._path.is_dir():
                with suppress(OSError):
                    self._path.rename(self._aside)
            return LastGood(snapshots={}, facts={}, problems=(problem,))
        try:
            manifest = parse(data)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            problem = f"the manifest in '{self.directory}' cannot be used: {error}"
            return LastGood(snapshots={}, facts={}, problems=self._keep_aside(data, [problem]))
        restorer = Restorer(self._objects, manifest)
        served, accepted = restorer.snapshots()
        verdicts = tuple(restorer.verdicts())
        self._manifest = manifest
        self._saved = data
        return LastGood(
            snapshots=served,
            facts=manifest.facts,
            problems=self._keep_aside(data, restorer.problems),
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
        restorer = Restorer(self._objects, manifest)
        memory, readings = restorer.memory()
        problems = tuple(restorer.problems)
        kept = self._keep_aside(self._saved, problems) if self._saved is not None else ()
        return Recalled(memory=memory, files=readings, problems=kept or problems)

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
            try:
                written = self._save(checkpoint)
            except OSError as error:
                self.problem = _sentence(self.directory, error)
                raise StateUnwritable(self.problem) from error
            finally:
                self._objects.settle()
            self._packer.settle()
            self.problem = ""
            return written

    def _save(self, checkpoint: Checkpoint) -> bool:
        """Write what is missing, then what names it, then remove what nothing names."""
        self._prepare()
        self._objects.look()
        data, needed = serialize(self._packer.pack(checkpoint))
        same = data == self._saved and self._stamp is not None and self._stamp == self._look()
        if same and not self._objects.pending:
            return False
        self._saved = None
        self._objects.sync()
        files.write(self._path, data)
        files.sync_folder(self.directory)
        self._saved = data
        self._stamp = self._look()
        self._objects.sweep(needed)
        return True

    def _prepare(self) -> None:
        """Make the directory, and take the lock."""
        files.make_folder(self._objects.folder)
        if self._lock is None or not self._lock.in_place():
            self._release()
            self._lock = files.Lock(self.directory / "lock")

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
            return (*found, f"the damaged manifest cannot be kept aside: {reason(error)}")
        return found


def _sentence(directory: Path, error: OSError) -> str:
    return f"the state cannot be saved in '{directory}': {reason(error)}"

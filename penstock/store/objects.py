"""The folder of objects, each a file called by the hash of its content."""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from penstock.store import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

__all__ = ["Objects", "digest"]

_WRITERS: Final = 8
"""How many objects are written at a time: a disk takes about as long for all of them as for one."""
_MOST_WAITING: Final = 64
"""How many may wait for it; they are held in memory."""
_OURS: Final = re.compile(rf"[0-9a-f]{{64}}({re.escape(files.DRAFT)})?")


def digest(data: bytes) -> str:
    """Return the name of an object."""
    return hashlib.sha256(data).hexdigest()


class Objects:
    """
    All objects of a state directory.

    What this process neither wrote nor read counts as missing: nobody knows whether it is whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sound: set[str] = set()
        """What was whole when this process wrote or read it."""
        self._there: set[str] = set()
        """All names in the folder."""
        self._stamp: tuple[int, ...] = ()
        """By what it is seen that nobody has added or removed any since."""
        self.pending = False
        """Whether there are any whose names may not be on the disk yet."""
        self._writers = ThreadPoolExecutor(_WRITERS, "penstock-state")
        self._writing: dict[str, Future[None]] = {}

    def look(self) -> None:
        """
        Find out what is there, for `missing`, `put` and `sweep`.

        Raises:
            OSError: The folder cannot be read.
        """
        if self._stamp != self._mark():
            with os.scandir(self.folder) as entries:
                self._there = {entry.name for entry in entries}
            self._sound &= self._there

    def _mark(self) -> tuple[int, ...]:
        found = self.folder.stat()
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def missing(self, names: Iterable[str]) -> AbstractSet[str]:
        """Return which objects are not there, or not known to be whole."""
        return set(names) - self._sound - self._writing.keys()

    def read(self, name: str) -> bytes:
        """
        Read an object.

        Raises:
            OSError: It is not there.
            ValueError: It is not what it was.
        """
        if name in self._writing:
            self._writing[name].result()
        data = files.read(self.folder / name)
        if digest(data) != name:
            raise ValueError(f"the object {name} is damaged")
        self._sound.add(name)
        return data

    def put(self, data: bytes) -> str:
        """
        Begin to write an object unless it is there, and return its name.

        Raises:
            OSError: An earlier one cannot be written.
        """
        name = digest(data)
        if name not in self._sound and name not in self._writing:
            if len(self._writing) >= _MOST_WAITING:
                self._wait()
            self.pending = True
            self._writing[name] = self._writers.submit(files.write, self.folder / name, data)
        return name

    def sync(self) -> None:
        """
        Wait until everything that was put is on the disk.

        Raises:
            OSError: Something cannot be written.
        """
        self._wait()
        if self.pending:
            files.sync_folder(self.folder)
            self.pending = False

    def _wait(self) -> None:
        writing = self.settle()
        for name, future in writing.items():
            future.result()
            self._there.add(name)
            self._sound.add(name)

    def settle(self) -> Mapping[str, Future[None]]:
        """Wait until nothing is being written, whatever comes of it, and return what was."""
        writing, self._writing = self._writing, {}
        wait(writing.values())
        return writing

    def close(self) -> None:
        """Do without threads from now on."""
        self._writers.shutdown()

    def sweep(self, needed: AbstractSet[str]) -> None:
        """Remove the objects that nothing needs; the names of all are those that are known now."""
        for name in self._there - needed:
            if _OURS.fullmatch(name):
                self._sound.discard(name)
                with suppress(OSError):  # the next time tries again
                    (self.folder / name).unlink()
                    self._there.discard(name)
        self._stamp = self._mark()

"""A folder, read once or again and again."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.errors import SourceEmpty, SourceError, SourceMissing
from penstock.sources.layout import Layout
from penstock.sources.links import links_on_the_way
from penstock.sources.tree import SUFFIXES, Tree, is_within
from translator.pipeline import Inputs
from translator.reuse import updated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["QUIET", "FolderReader", "FolderReading"]

MAX_BYTES: Final = 64 * 2**20
"""What a file may hold, more than the parser takes: a stray dump must not be read into
memory at every change."""
QUIET: Final = 0.05
"""Seconds after which a file that was just written counts as complete."""
EMPTY_GRACE: Final = 2.0
"""Seconds for which a file that became empty is taken for one that is about to be written."""
TIMESTAMP_STEP: Final = 2.0
"""Seconds that the coarsest file system (FAT) cannot tell apart. A file that changed this recently
may change again without showing it in its timestamps, so its content is read each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderReading:
    """What a folder held, and how to hear of its next change."""

    inputs: Inputs
    writing: bool
    """Whether a file seems to be half written or replaced; a look a moment later tells more."""
    look_again: float | None
    """Seconds after which the same files may well read differently, without another event."""
    folders: tuple[str, ...]
    """The real paths of the folders to watch with all that is below them, sorted."""
    links: frozenset[tuple[str, str]]
    """The names outside of these folders on which the reading depends, as folder and name."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as it was read."""

    data: bytes
    signature: tuple[int, ...] | None
    """While it is the same the data is too; None if only reading can tell."""


@dataclass(slots=True)
class _Look:
    """What a look has found."""

    files: dict[str, bytes] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    known: dict[str, _Known] = field(default_factory=dict)
    writing: bool = False
    again: list[tuple[float, str]] = field(default_factory=list)
    """The seconds after which a file may read differently without an event, and its path."""


class FolderReader:
    """
    Reads all resource files of a folder, or one file.

    What has not changed since the last time is not opened again, and is the very same object; so
    are the inputs if nothing has. Who knows which paths have changed can have a look at those only,
    which finds what a look at everything would find, at a cost of what changed.
    """

    def __init__(
        self, root: Path, *, max_bytes: int = MAX_BYTES, now: Callable[[], float] = time.time
    ) -> None:
        self._root = str(root)
        self._max_bytes = max_bytes
        self._now = now
        self._past = _Look()
        self._last: FolderReading | None = None
        self._layout: Layout | None = None
        """What `reread` relies on; None if only `read` can tell what there is."""

    @property
    def name(self) -> str:
        """The path as users gave it."""
        return self._root

    def locate(self, origin: str) -> str:
        """Turn an origin into a path from where the program was started."""
        if not origin:
            return self._root
        folder = os.path.dirname(self._root) if os.path.isfile(self._root) else self._root
        return origin if folder == os.curdir else os.path.join(folder, origin)

    def read(self) -> FolderReading:
        """
        Read everything.

        Raises:
            SourceError: The folder itself is missing, empty or unreadable.
        """
        self._layout = None
        tree = Tree(self._root)
        tree.links.update(links_on_the_way(os.path.join(os.getcwd(), self._root)))
        self._survey(tree)
        look = _Look()
        for origin, error in tree.lost.items():
            self._lose_folder(look, origin, error)
        for origin, path in sorted(tree.files):
            self._read_file(look, origin, path)
        if not look.files and not look.unreadable:
            kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
            raise SourceEmpty(f"no resources found in {self._root}: it has no {kinds} file")
        if self._past.known.keys() - look.known.keys():
            look.writing = True  # whoever replaces a file may have removed it first
        inputs = Inputs(files=look.files, unreadable=dict(sorted(look.unreadable.items())))
        if self._last is not None and inputs == self._last.inputs:
            inputs = self._last.inputs
        folders = tree.outermost()
        links = frozenset(link for link in tree.links if not is_within(link[0], folders))
        self._layout = Layout.of(tree, links)
        return self._conclude(look, inputs, folders, links)

    def reread(self, paths: Iterable[str]) -> FolderReading | None:
        """
        Read what has changed since the last look, and what may have without an event.

        Args:
            paths: Every path below the watched folders at which something has happened since.

        Returns:
            What `read` would; None if only that can tell.
        """
        past, last, layout = self._past, self._last, self._layout
        if last is None or layout is None:
            return None
        sifted = layout.sift({*paths, *(path for _, path in past.again)})
        if sifted is None:
            return None
        found = _Look()
        for origin, path in sifted.present.items():
            self._read_file(found, origin, path)
        # Whoever replaces a file may have removed it first.
        found.writing |= not past.known.keys().isdisjoint(sifted.gone)
        origins = (*sifted.present, *sifted.gone)
        files = updated(last.inputs.files, {each: found.files.get(each) for each in origins})
        unreadable = updated(
            last.inputs.unreadable, {each: found.unreadable.get(each) for each in origins}
        )
        if not files and not unreadable:
            return None
        inputs = last.inputs
        if files is not inputs.files or unreadable is not inputs.unreadable:
            inputs = Inputs(files=files, unreadable=unreadable)
        for origin in origins:
            past.known.pop(origin, None)
        past.known.update(found.known)  # in place: nobody else has it, and a copy takes a while
        found.known = past.known
        return self._conclude(found, inputs, last.folders, last.links)

    def _conclude(
        self,
        look: _Look,
        inputs: Inputs,
        folders: tuple[str, ...],
        links: frozenset[tuple[str, str]],
    ) -> FolderReading:
        """Keep a look for the next one, and tell what it found."""
        self._past = look
        self._last = FolderReading(
            inputs=inputs,
            writing=look.writing,
            look_again=min(look.again)[0] if look.again else None,
            folders=folders,
            links=links,
        )
        return self._last

    def _survey(self, tree: Tree) -> None:
        """Find out what there is to read."""
        try:
            is_folder = stat.S_ISDIR(os.stat(self._root).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceMissing(f"no such file or folder: {self._root}") from None
        except OSError as error:
            raise SourceError(f"cannot read {self._root}: {_reason(error)}") from error
        if not is_folder:
            tree.files.append((os.path.basename(self._root), self._root))
            return
        tree.walk()
        if lost := tree.lost.get(""):
            raise SourceError(f"cannot read {self._root}: {_reason(lost)}") from lost

    def _lose_folder(self, look: _Look, origin: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):  # it went while we were looking
            look.writing = True
            return
        look.unreadable[origin] = _reason(error)
        for known, file in self._past.known.items():
            if known.startswith(origin):
                look.unreadable[known] = f"its folder cannot be read: {_reason(error)}"
                look.known[known] = file

    def _read_file(self, look: _Look, origin: str, path: str) -> None:
        known = self._past.known.get(origin)
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                look.unreadable[origin] = "it is not a regular file"
            elif status.st_size > self._max_bytes:
                look.unreadable[origin] = f"it is larger than {self._max_bytes} bytes"
            elif known is not None and known.signature == _signature(status):
                look.files[origin] = known.data
                look.known[origin] = known
            else:
                self._open_file(look, origin, path, known)
        except FileNotFoundError:
            if os.path.islink(path):
                look.unreadable[origin] = "it is a link to nothing"
            else:  # it went while we were looking
                look.writing = True
        except OSError as error:
            look.unreadable[origin] = _reason(error)
        if known is not None and origin in look.unreadable:
            look.known[origin] = _Known(known.data, None)

    def _open_file(self, look: _Look, origin: str, path: str, known: _Known | None) -> None:
        # Not to wait for a pipe's other end, should one have taken the file's place just now.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            data = _read_up_to(self._max_bytes + 1, descriptor, before.st_size)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if len(data) > self._max_bytes:  # it grew
            look.unreadable[origin] = f"it is larger than {self._max_bytes} bytes"
            return
        now = self._now()
        age = now - status.st_mtime
        if known is not None and data == known.data:
            data = known.data  # the very same object compares fast
        elif _signature(before) != _signature(status):
            look.writing = True
        elif 0 <= age < QUIET:
            look.writing = True
            look.again.append((QUIET, path))
        if known is not None and known.data and not data and 0 <= age < EMPTY_GRACE:
            data = known.data
            look.again.append((EMPTY_GRACE - age, path))
        settled = max(status.st_mtime, status.st_ctime) + TIMESTAMP_STEP < now
        look.files[origin] = data
        look.known[origin] = _Known(data, _signature(status) if settled else None)


def _read_up_to(limit: int, descriptor: int, size: int) -> bytes:
    """Read a file to its end; its size, as it was a moment ago, saves room and a second try."""
    data = os.read(descriptor, min(size + 1, limit))
    while len(data) < limit and (more := os.read(descriptor, min(2**20, limit - len(data)))):
        data += more
    return data


def _signature(status: os.stat_result) -> tuple[int, ...]:
    # With ctime, which no tool can set back: `rsync --times` and `cp -p` keep the mtime.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)

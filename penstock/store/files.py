"""Files that are whole or not there, whenever the process or the machine ends."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from penstock.errors import StateInUse

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DRAFT", "Lock", "make_folder", "read", "sync_folder", "write"]

DRAFT: Final = ".new"
"""The end of the name of a file that is being written."""

_PRIVATE: Final = 0o600
"""Routes and headers may hold what only their readers are to know."""
_MOST_BYTES: Final = 2**30
"""More than anybody's state; what is larger is not read into memory."""


def make_folder(path: Path) -> None:
    """Make a private folder and its parents, if it is not there, so that it lasts."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(path))
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> bytes:
    """
    Read a whole file.

    Raises:
        OSError: It is not there, no file, or too large.
    """
    # A pipe in the place of the file would be waited for without O_NONBLOCK.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        if found.st_size > _MOST_BYTES:
            raise OSError(errno.EFBIG, f"larger than {_MOST_BYTES} bytes", str(path))
        chunks = []
        while chunk := os.read(file, found.st_size + 1):
            chunks.append(chunk)
    finally:
        os.close(file)
    return b"".join(chunks)


def write(path: Path, data: bytes) -> None:
    """
    Put a file in its place, whole and on the disk; its name lasts once the folder is synced.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    draft = path.with_name(path.name + DRAFT)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        finally:
            os.close(file)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()  # on a full disk it is in everybody's way
        raise


class Lock:
    """A file that one process at a time can hold, until it ends; it says which one that is."""

    def __init__(self, path: Path) -> None:
        """
        Take the lock.

        Raises:
            StateInUse: Another process holds it.
            OSError: There can be no such file.
        """
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StateInUse(
                f"another control plane (process {holder or 'unknown'}) uses the state directory "
                f"'{path.parent}'"
            ) from None
        except OSError:
            os.close(self._file)
            raise

    def in_place(self) -> bool:
        """Tell whether the file is still the one that others would try."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)

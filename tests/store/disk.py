"""What a disk may hold after the power failed."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path


class RecordingDisk:
    """
    Records what is done below a folder, to tell afterwards what could be left of it.

    The model is that of POSIX at its worst: content is on the disk once the file is synced, names
    are once their folder is. Until then a name may have changed or not, each for itself, and a
    file may be cut short.
    """

    def __init__(self, monkeypatch, folder):
        self._folder = folder
        self._lock = threading.Lock()
        self._paths = {}
        self._steps = []
        self._before = {
            path.relative_to(folder): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }
        for name in ("open", "write", "pwrite", "fsync", "close", "replace", "unlink", "mkdir"):
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name), getattr(self, f"_{name}")))

    def _wrap(self, real, record):
        def call(*arguments, **settings):
            # Several threads write, and the number of a closed file is soon another one's.
            with self._lock:
                result = real(*arguments, **settings)
                record(result, *arguments)
            return result

        return call

    def _inside(self, path):
        path = Path(os.fsdecode(path))
        return path.relative_to(self._folder) if path.is_relative_to(self._folder) else None

    def _open(self, file, path, flags, *_):
        inside = self._inside(path)
        if inside is not None:
            self._paths[file] = inside
            if flags & os.O_CREAT and inside.name != "lock":
                self._steps.append(("create", inside))

    def _write(self, written, file, data):
        if file in self._paths:
            self._steps.append(("write", self._paths[file], bytes(data[:written])))

    def _pwrite(self, *_):
        pass  # the lock, of which nobody reads the content after a crash

    def _fsync(self, _, file):
        if file in self._paths:
            self._steps.append(("sync", self._paths[file]))

    def _close(self, _, file):
        self._paths.pop(file, None)

    def _replace(self, _, source, target):
        if (inside := self._inside(source)) is not None:
            self._steps.append(("rename", inside, self._inside(target)))

    def _unlink(self, _, path):
        if (inside := self._inside(path)) is not None:
            self._steps.append(("remove", inside))

    def _mkdir(self, _, path, *__):
        if (inside := self._inside(path)) is not None:
            self._steps.append(("folder", inside))

    def remains(self):
        """Yield functions that write what could be left, for a failure after each step."""
        for end in range(len(self._steps) + 1):
            for keep in ("nothing", "names", "last name", "everything"):
                yield lambda target, end=end, keep=keep: self._replay(target, end, keep)

    def _replay(self, target, end, keep):  # noqa: C901 (one case for each kind of step)
        steps = self._steps[:end]
        durable = [self._is_durable(steps, number) for number in range(end)]
        names = [
            number
            for number, step in enumerate(steps)
            if step[0] not in {"write", "sync"} and not durable[number]
        ]
        kept = {"nothing": [], "last name": names[-1:]}.get(keep, names)
        files = dict(self._before)
        # Each draft is written anew under its name, so its content is that of its last creation.
        contents = {}
        for number, step in enumerate(steps):
            done = durable[number] or number in kept
            match step:
                case ("create", path):
                    contents[path] = []
                    files[path] = b""
                case ("write", path, data):
                    contents[path].append((number, data))
                    whole = keep == "everything" or self._synced(steps, number, path)
                    files[path] = files[path] + data if whole else data[: len(data) // 2]
                case ("rename", source, goal):
                    content = files.pop(source, b"")
                    if done:
                        files[goal] = content
                case ("remove", path) if done:
                    files.pop(path, None)
                case ("folder", path):
                    files.setdefault(path, None)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in sorted(files):
            place = target / path
            if files[path] is None:
                place.mkdir(exist_ok=True)
            elif place.parent.is_dir():
                place.write_bytes(files[path])

    @staticmethod
    def _synced(steps, number, path):
        for step in steps[number:]:
            if step == ("sync", path):
                return True
            if step == ("create", path):
                return False
        return False

    @staticmethod
    def _is_durable(steps, number):
        step = steps[number]
        if step[0] in {"write", "sync"}:
            return True
        path = step[2] if step[0] == "rename" else step[1]
        return any(later == ("sync", path.parent) for later in steps[number:])

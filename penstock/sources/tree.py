"""What lies in a folder, at any depth and behind links."""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.sources.links import links_on_the_way

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SUFFIXES", "Tree", "is_resource_name", "is_within"]

SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class Tree:
    """
    The files of a folder by origin, and what their reading depends on.

    Names that begin with a dot are left out: editors keep their copies there, and a mounted
    ConfigMap would yield each of its files three times. A folder that links lead to more than
    once is in it once, so that links in a circle end. Real folders come before linked ones, so
    that what is reached in both ways has its real name, whatever the order of names.
    """

    root: str
    files: list[tuple[str, str]] = field(default_factory=list)
    """The origin and the path of each file, in no order."""
    lost: dict[str, OSError] = field(default_factory=dict)
    """The folders that cannot be listed, by origin; the root's is empty, others end in `/`."""
    roots: list[str] = field(default_factory=list)
    """The real paths of the root and of all linked folders."""
    links: set[tuple[str, str]] = field(default_factory=set)
    """Every name on the way to the root and to linked files and folders."""
    folders: dict[str, str] = field(default_factory=dict)
    """The origin of each folder whose files are here, by its real path."""
    linked: bool = False
    """Whether there is a link at all, even one that is of no use."""
    printable: bool = True
    """Whether each name is UTF-8; if not, two files may have one origin."""

    def walk(self) -> None:
        """Fill in what is there."""
        root = os.path.realpath(self.root)
        seen: set[tuple[int, int]] = set()
        folders = [("", root)]
        linked: list[tuple[str, str]] = []
        self.roots.append(root)
        while folders or linked:
            if not folders:
                folders.append(heapq.heappop(linked))
                self.roots.append(folders[0][1])
            origin, path = folders.pop()
            try:
                status = os.stat(path)
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    self._list(origin, path, folders, linked)
                    self.folders[path] = origin
            except OSError as error:
                self.lost[origin] = error

    def _list(
        self,
        origin: str,
        path: str,
        folders: list[tuple[str, str]],
        linked: list[tuple[str, str]],
    ) -> None:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = _printable(entry.name)
                self.printable &= name == entry.name
                below = f"{origin}{name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append((f"{below}/", entry.path))
                    continue
                is_link = entry.is_symlink()
                self.linked |= is_link
                is_folder = is_link and os.path.isdir(entry.path)
                if not is_folder and not is_resource_name(entry.name):
                    continue
                if is_link:
                    self.links.update(links_on_the_way(entry.path))
                if is_folder:
                    heapq.heappush(linked, (f"{below}/", os.path.realpath(entry.path)))
                else:
                    self.files.append((below, entry.path))

    def outermost(self) -> tuple[str, ...]:
        """List the real folders that hold all others, sorted, each ending in `/`."""
        kept: list[str] = []
        for folder in sorted(f"{root.rstrip('/')}/" for root in self.roots):
            if not kept or not folder.startswith(kept[-1]):
                kept.append(folder)
        return tuple(kept)


def is_resource_name(name: str) -> bool:
    """Tell whether a file of this name is read."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Tell whether a path is one of some folders that end in `/`, or below one."""
    return f"{path.rstrip('/')}/".startswith(tuple(folders))


def _printable(name: str) -> str:
    """Write a file name that is not UTF-8 in a way that is."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")

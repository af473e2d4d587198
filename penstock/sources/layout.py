"""Which files a change concerns, so that the others need no look."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.sources.tree import is_resource_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.sources.tree import Tree

__all__ = ["Layout", "Sifted"]


@dataclass(slots=True)
class Sifted:
    """The files that some changes concern."""

    present: dict[str, str] = field(default_factory=dict)
    """The path of each file to read, by origin."""
    gone: list[str] = field(default_factory=list)
    """The origins at which there is nothing now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    The folders of a tree as they were when all of it was looked at.

    As long as no folder and no link has come, gone or changed, a path in a folder is one file at
    most: it has one origin, and no other origin depends on it. Whatever could be otherwise has to
    be looked at as a whole.
    """

    folders: Mapping[str, str]
    """The origin of each folder, by its real path."""
    ways: frozenset[str]
    """The paths of all names on the way to something that is read through a link."""
    plain: bool
    """Whether nothing is read through a link, so that what is hidden does not matter."""

    @classmethod
    def of(cls, tree: Tree, outside: frozenset[tuple[str, str]]) -> Layout | None:
        """
        Describe a tree that was just walked.

        Args:
            tree: The tree.
            outside: Those of its links that are in none of its folders.

        Returns:
            None if a change of a path does not tell what it concerns: a folder is missing, two
            files may have one origin, or the tree is a single file.
        """
        if tree.lost or not tree.printable or not tree.folders:
            return None
        return cls(
            folders=tree.folders,
            ways=frozenset(f"{folder.rstrip('/')}/{name}" for folder, name in tree.links),
            plain=not tree.linked and len(outside) == len(tree.links),
        )

    def sift(self, paths: Iterable[str]) -> Sifted | None:
        """
        Find the files that changes of some paths concern.

        Returns:
            None if they concern more than files: then only a look at everything can tell.
        """
        sifted = Sifted()
        for path in paths:
            if not self._sort(path, sifted):
                return None
        return sifted

    def _sort(self, path: str, sifted: Sifted) -> bool:
        """Note what a change of one path concerns; return whether that is sure."""
        if self.plain and self._is_hidden(path):
            return True
        folder, name = os.path.split(path)
        if folder not in self.folders or path in self.folders or path in self.ways:
            return False
        origin = f"{self.folders[folder]}{name}"
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            if is_resource_name(name):
                sifted.gone.append(origin)
            return True
        except OSError:
            return False
        # A file with a second name may have changed under that one too, and nobody says so.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return False
        if is_resource_name(name):
            sifted.present[origin] = path
        return True

    def _is_hidden(self, path: str) -> bool:
        """Tell whether a path is, or is below, a name with a dot in front in one of the folders."""
        folder, name = os.path.split(path)
        while folder not in self.folders and name:
            folder, name = os.path.split(folder)
        return name.startswith(".")

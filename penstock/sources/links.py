"""Symbolic links, seen one by one instead of resolved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["links_on_the_way"]

_MOST_LINKS: Final = 40
"""As many as Linux follows in one path."""


def links_on_the_way(path: str) -> Iterator[tuple[str, str]]:
    """
    Yield every name that decides where an absolute path leads, as its real folder and its name.

    These are the links on the way (a mounted ConfigMap and git-sync swap one of them, and nothing
    changes where the path itself is) and the place where it ends.
    """
    folder = "/"
    rest = _names(path)
    links = 0
    while rest:
        name = rest.pop()
        if name == os.pardir:
            folder = os.path.dirname(folder)
            continue
        full = os.path.join(folder, name)
        try:
            target = os.readlink(full) if os.path.islink(full) else None
        except OSError:  # it went while we were looking
            target = None
        if target is None:
            if not rest:
                yield folder, name
            folder = full
            continue
        yield folder, name
        links += 1
        if links > _MOST_LINKS:
            return
        if os.path.isabs(target):
            folder = "/"
        rest += _names(target)


def _names(path: str) -> list[str]:
    """Split a path into its names, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in {"", os.curdir}]

"""What was in files that cannot be read any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translator.policy.memory import Memory
    from translator.report import ResourceRef


class Lost:
    """The resources that were in files, or below folders, that cannot be read any more."""

    def __init__(
        self, damaged: set[str], memory: Memory, candidates: Iterable[ResourceRef]
    ) -> None:
        self._by_origin: dict[str, list[ResourceRef]] = {}
        for ref in sorted(candidates) if damaged else ():
            good = memory.resources.get(ref)
            for origin in _with_folders(good.origin) if good is not None else ():
                if origin in damaged:
                    self._by_origin.setdefault(origin, []).append(ref)

    @property
    def refs(self) -> frozenset[ResourceRef]:
        """All of them."""
        return frozenset(ref for those in self._by_origin.values() for ref in those)

    def of(self, origin: str) -> list[ResourceRef]:
        """Those of one file or folder."""
        return self._by_origin.get(origin, [])


def _with_folders(origin: str) -> Iterator[str]:
    """Yield a file and the folders that it is in."""
    while origin:
        yield origin
        origin = origin.rpartition("/")[0]

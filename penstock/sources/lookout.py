"""Being woken when something changes in a file system."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from watchfiles import awatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchfiles import Change

    from penstock.sources.reader import FolderReading

__all__ = ["Lookout"]

_QUIET_MS: Final = 50
_LONGEST_MS: Final = 500


class Lookout:
    """
    Calls back whenever something may have changed, with the paths where something happened.

    Watchfiles reports a new folder but not the files in it, and a swapped ConfigMap but not the
    files that it links to. So paths are where to begin to look, and it is the reader's to tell
    whether that is enough; None stands for everything. A burst is one event: a watch waits for
    50 ms of silence, but never longer than 500 ms.
    """

    def __init__(
        self,
        changed: Callable[[Iterable[str] | None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """
        Watch nothing yet.

        Args:
            changed: Is called with the absolute paths where something happened, or None.
            failed: Is called when a watch cannot begin or go on.
        """
        self._changed = changed
        self._failed = failed
        self._folders: tuple[str, ...] = ()
        self._links: frozenset[tuple[str, str]] = frozenset()
        self._tasks: list[asyncio.Task[None]] = []
        self.stale = True
        """Whether to watch anew: a folder that is made again is not the one that was watched."""
        self.alive = False
        """Whether all watches are in place; if not, only regular looks notice a change."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def aim(self, reading: FolderReading) -> bool:
        """
        Watch what a reading depends on.

        Returns:
            Whether a watch began, so that what happened before it may have been missed.
        """
        if (
            self.alive
            and not self.stale
            and (self._folders, self._links) == (reading.folders, reading.links)
        ):
            return False
        await self._stop()
        self._folders, self._links = reading.folders, reading.links
        self.stale = False
        self.alive = True
        names = {f"{folder.rstrip('/')}/{name}" for folder, name in self._links}
        parents = {folder for folder, _ in self._links}
        self._start(self._folders, recursive=True, only=None)
        self._start(tuple(sorted(parents)), recursive=False, only=names)
        # A task's first step runs up to its first wait, and by then its watch is in place.
        await asyncio.sleep(0)
        return True

    def _start(self, folders: tuple[str, ...], *, recursive: bool, only: set[str] | None) -> None:
        if folders:
            watch = self._watch(folders, recursive=recursive, only=only)
            self._tasks.append(asyncio.create_task(watch))

    async def _watch(
        self, folders: tuple[str, ...], *, recursive: bool, only: set[str] | None
    ) -> None:
        def wanted(_: Change, path: str) -> bool:
            return only is None or path in only

        watch = awatch(
            *folders,
            watch_filter=wanted,
            debounce=_LONGEST_MS,
            step=_QUIET_MS,
            recursive=recursive,
            ignore_permission_denied=True,
        )
        try:
            async for changes in watch:
                if only is not None:
                    self.stale = True
                    self._changed(None)
                else:
                    self._changed({path.rstrip("/") for _, path in changes})
        except (OSError, RuntimeError) as error:  # no such folder, or no watches left
            self.alive = False
            self._failed(error)

    async def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.alive = False

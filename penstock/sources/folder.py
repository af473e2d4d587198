"""A folder, watched."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from penstock.errors import SourceError
from penstock.logs import WATCH_FAILED, get_logger
from penstock.sources.lookout import Lookout
from penstock.sources.reader import QUIET, FolderReader
from penstock.sources.source import Observation, Outage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from pathlib import Path

    from penstock.sources.reader import FolderReading
    from penstock.sources.source import SourceEvent
    from translator.pipeline import Inputs

__all__ = ["FolderSource", "Pace"]

_MANY: Final = 500
"""Paths, after which everything is looked at. When the system drops events because nobody took
them in time, watchfiles does not tell; but that takes a storm of many thousands."""

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a folder is looked at; all in seconds."""

    patience: float = 0.5
    """How long a file that is still being written can hold up the others."""
    poll: float = 30.0
    """Between looks at everything: some network file systems and mounts send no events."""
    retry: float = 1.0
    """Between looks at a folder that is gone or cannot be watched."""


class FolderSource:
    """
    A folder of resource files as a source; see `FolderReader` for what is read.

    An event tells where to look. Only if that may not be all that has changed, and from time to
    time, everything is looked at; whatever is found is reported if it differs.
    """

    def __init__(self, path: Path, *, pace: Pace | None = None) -> None:
        self._reader = FolderReader(path)
        self._pace = pace or Pace()
        self._wake = asyncio.Event()
        self._asked = False
        self._noticed = 0.0
        self._paths: set[str] | None = None
        """Where something has happened since the last look; None: look at everything."""
        self._due = 0.0
        """When to look at everything all the same, by the monotonic clock."""
        self._first: FolderReading | None = None
        self._last: Inputs | SourceError | None = None
        self._complained = False

    @property
    def name(self) -> str:
        """The folder as users gave it."""
        return self._reader.name

    def locate(self, origin: str) -> str:
        """Turn an origin into a path from where the program was started."""
        return self._reader.locate(origin)

    async def first(self) -> Observation:
        """
        Read the folder once.

        Raises:
            SourceError: It is missing, empty or unreadable.
        """
        noticed = time.monotonic()
        reading = await self._read(until=noticed + self._pace.patience)
        self._first = reading
        self._last = reading.inputs
        return Observation(inputs=reading.inputs, noticed=noticed)

    def refresh(self) -> None:
        """Look again at once, and report what is read even if it is the same."""
        self._asked = True
        self._look_again()

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Yield what the folder holds whenever that changes."""
        async with Lookout(self._look_again, self._watch_failed) as lookout:
            first, self._first = self._first, None  # not to hold its texts for ever
            if first is not None:
                await lookout.aim(first)  # or the next look would begin a watch and need another
            self._look_again()  # for what happened since `first`, and to know what to watch
            timeout = self._pace.poll
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await self._wake.wait()
                noticed = self._noticed if self._wake.is_set() else time.monotonic()
                asked, self._asked = self._asked, False
                self._wake.clear()
                found, timeout = await self._look(lookout, until=noticed + self._pace.patience)
                if not asked and _same(found, self._last):
                    continue
                self._last = found
                if isinstance(found, SourceError):
                    yield Outage(error=found)
                else:
                    yield Observation(inputs=found, noticed=noticed)

    async def _look(self, lookout: Lookout, *, until: float) -> tuple[Inputs | SourceError, float]:
        """Return what is there, and for how many seconds to rely on events."""
        if not lookout.alive or lookout.stale or time.monotonic() >= self._due:
            self._paths = None
        try:
            reading = await self._read(until=until)
        except SourceError as error:
            lookout.stale = True
            return error, self._pace.retry
        began = await lookout.aim(reading)
        if lookout.alive:
            self._complained = False
            if began:
                self._look_again()
        calm = self._due - time.monotonic() if lookout.alive else self._pace.retry
        return reading.inputs, calm if reading.look_again is None else reading.look_again

    async def _read(self, *, until: float) -> FolderReading:
        """Read what has changed, again and again while something is being written or replaced."""
        trusted = isinstance(self._last, SourceError)
        paths: set[str] | None = set()
        while True:
            late = time.monotonic() >= until
            # With what has happened meanwhile: it may be the other half of the same change.
            paths = None if paths is None or self._paths is None else paths | self._paths
            self._paths = set()
            try:
                reading = None
                if paths is not None:
                    reading = await asyncio.to_thread(self._reader.reread, paths)
                if reading is None:
                    paths = None
                    self._due = time.monotonic() + self._pace.poll
                    reading = await asyncio.to_thread(self._reader.read)
            except SourceError:
                # Whoever replaces a folder removes it first.
                if trusted or late:
                    raise
                trusted = True
            else:
                if late or not reading.writing:
                    return reading
            await asyncio.sleep(QUIET)

    def _look_again(self, paths: Iterable[str] | None = None) -> None:
        if paths is not None and self._paths is not None:
            self._paths.update(paths)
        if paths is None or len(self._paths or ()) > _MANY:
            self._paths = None
        if not self._wake.is_set():
            self._noticed = time.monotonic()
            self._wake.set()

    def _watch_failed(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(WATCH_FAILED, source=self.name, error=str(error), pace=self._pace.retry)
            self._look_again()  # and then at the pace of a folder that is not watched


def _same(found: Inputs | SourceError, last: Inputs | SourceError | None) -> bool:
    if isinstance(found, SourceError):
        return isinstance(last, SourceError) and str(found) == str(last)
    return found is last  # the reader gives the very same for the same texts

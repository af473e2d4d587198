"""A folder, watched."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import SourceError
from penstock.logs import WATCH_FAILED, get_logger
from penstock.sources.lookout import Lookout
from penstock.sources.reader import QUIET, FolderReader
from penstock.sources.source import Observation, Outage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from penstock.sources.reader import FolderReading
    from penstock.sources.source import SourceEvent
    from translator.pipeline import Inputs

__all__ = ["FolderSource", "Pace"]

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a folder is looked at; all in seconds."""

    patience: float = 0.5
    """How long a file that is still being written can hold up the others."""
    poll: float = 30.0
    """Between looks without an event: some network file systems and mounts send none."""
    retry: float = 1.0
    """Between looks at a folder that is gone or cannot be watched."""


class FolderSource:
    """
    A folder of resource files as a source; see `FolderReader` for what is read.

    An event means only "look again"; then everything is read, and reported if it differs.
    """

    def __init__(self, path: Path, *, pace: Pace | None = None) -> None:
        self._reader = FolderReader(path)
        self._pace = pace or Pace()
        self._wake = asyncio.Event()
        self._asked = False
        self._noticed = 0.0
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
        self._last = reading.inputs
        return Observation(inputs=reading.inputs, noticed=noticed)

    def refresh(self) -> None:
        """Look again at once, and report what is read even if it is the same."""
        self._asked = True
        self._look_again()

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Yield what the folder holds whenever that changes."""
        async with Lookout(self._look_again, self._watch_failed) as lookout:
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
        calm = self._pace.poll if lookout.alive else self._pace.retry
        return reading.inputs, calm if reading.look_again is None else reading.look_again

    async def _read(self, *, until: float) -> FolderReading:
        """Read everything, again and again while something is being written or replaced."""
        trusted = isinstance(self._last, SourceError)
        while True:
            late = time.monotonic() >= until
            try:
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

    def _look_again(self) -> None:
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
    return found == last

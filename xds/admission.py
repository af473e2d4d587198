"""Who is sent its first resources now, and who has to wait for a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Admission:
    """
    Lets a limited number of clients have their first burst at the same time (rule 116).

    When a thousand clients come back at once, the memory for all their first responses would be
    needed together, and the first of them would be answered when all are. So they take turns, in
    the order in which they came. A turn ends with the client's first verdict; no turn and no
    wait lasts for ever, whatever the clients do.
    """

    def __init__(self, limit: int, *, turn_seconds: float, wait_seconds: float) -> None:
        """
        Begin with nobody admitted.

        Args:
            limit: How many turns there are at the same time.
            turn_seconds: When a turn ends at the latest.
            wait_seconds: When somebody who waits is admitted without a turn.
        """
        self._turns = asyncio.Semaphore(limit)
        self._turn_seconds = turn_seconds
        self._wait_seconds = wait_seconds
        self.waiting = 0
        """How many wait at the moment."""

    async def enter(self) -> Callable[[], None]:
        """
        Wait for a turn.

        Returns:
            The function that ends the turn; it may be called again, to no effect.
        """
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError:
            return _nothing
        finally:
            self.waiting -= 1
        return self._begin()

    def _begin(self) -> Callable[[], None]:
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                timer.cancel()
                self._turns.release()

        timer = asyncio.get_running_loop().call_later(self._turn_seconds, end)
        return end


def _nothing() -> None:
    """End the turn of somebody who had none."""

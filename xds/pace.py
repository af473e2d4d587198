"""How fast a client may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenBucket:
    """
    Counts requests against a rate (rule 115).

    A token comes each fraction of a second, up to a number that is kept for bursts. Who takes
    more than there are is told how long to pause, and is cut off from nothing.
    """

    __slots__ = ("_burst", "_clock", "_counted_at", "_rate", "_tokens")

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float]) -> None:
        """
        Begin with a full bucket.

        Args:
            rate: Tokens per second.
            burst: How many the bucket holds.
            clock: Tells the time in seconds; never goes back.
        """
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._counted_at = clock()

    def take(self) -> float:
        """Take a token, and return for how many seconds to pause until it was there."""
        now = self._clock()
        earned = (now - self._counted_at) * self._rate
        self._tokens = min(self._burst, self._tokens + earned) - 1
        self._counted_at = now
        return max(0.0, -self._tokens / self._rate)

"""The way of events from those who decide to those who listen."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.events import Event

__all__ = ["Feed", "Subscription"]

_CAPACITY: Final = 10_000


class Feed:
    """
    Passes each event on to all listeners, in order and at once.

    A listener must be quick and must not raise; whoever takes longer subscribes. An event that a
    listener publishes comes after the one that it was told of, for everybody.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []
        self._waiting: deque[Event] = deque()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call a listener for every event from now on."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Tell everybody; only from the event loop."""
        self._waiting.append(event)
        if len(self._waiting) > 1:  # a listener is being told of another one
            return
        while self._waiting:
            for listener in tuple(self._listeners):
                listener(self._waiting[0])
            self._waiting.popleft()

    @contextmanager
    def subscribe(self, capacity: int = _CAPACITY) -> Iterator[Subscription]:
        """
        Collect events for whoever takes them one by one.

        Args:
            capacity: How many may wait; then the oldest are dropped, and counted.
        """
        subscription = Subscription(capacity)
        self._listeners.append(subscription.put)
        try:
            yield subscription
        finally:
            self._listeners.remove(subscription.put)


class Subscription:
    """The events that wait for one consumer; an endless asynchronous iterator."""

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[Event] = deque()
        self._capacity = capacity
        self._filled = asyncio.Event()
        self.dropped = 0
        """How many events were dropped because nobody took them in time."""

    def put(self, event: Event) -> None:
        """Add an event."""
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(event)
        self._filled.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()

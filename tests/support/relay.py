from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Relay:
    """
    A port that leads to one of several others: a load balancer, as far as an Envoy can tell.

    A context manager; it lives in a thread of its own.
    """

    def __init__(self, target):
        self._target = target
        self._writers = set()
        self._joints = set()

    def __enter__(self):
        bound = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(bound),))
        self._thread.start()
        assert bound.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def move(self, target):
        """Lead elsewhere from now on, and end the connections that there are."""
        self._target = target
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self):
        for writer in self._writers:
            writer.close()

    async def _serve(self, bound):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._join, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            bound.set()
            await self._stop.wait()
            server.close()
            self._cut()
            await asyncio.gather(*self._joints, return_exceptions=True)

    async def _join(self, reader, writer):
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends, joint = {writer, other_writer}, asyncio.current_task()
        self._writers |= ends
        self._joints.add(joint)
        try:
            await asyncio.gather(self._copy(reader, other_writer), self._copy(other_reader, writer))
        finally:
            self._writers -= ends
            self._joints.discard(joint)

    async def _copy(self, reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

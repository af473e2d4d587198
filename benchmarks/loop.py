"""
How long the event loop is kept from the streams: at the start, when an Envoy comes, in a storm.

The program runs as `penstock serve` composes it, in a process of its own whose event loop is
watched from inside: each step of it is timed on the CPU, and a task that sleeps for a millisecond
notes how much later it wakes, which is how late a request would be read.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import threading
import time
from asyncio import events
from pathlib import Path
from typing import TYPE_CHECKING

from served_load import obey, serving
from support import save

from benchmarks import worlds
from benchmarks.clocks import settle
from benchmarks.figures import Figure
from benchmarks.stream import Stream, subscribe_like_envoy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort
    from benchmarks.worlds import World

_PAUSE = 0.001
_STORM_SECONDS = 10.0
_STORM_EDITS = 40


class Watch:
    """Times what an event loop does; `take` returns the longest, in seconds, and starts over."""

    def __init__(self) -> None:
        self._step = 0.0
        self._stall = 0.0

    def install(self) -> None:
        """Time each step of the event loops of this process."""
        run = events.Handle._run  # noqa: SLF001 - the only place that all steps go through

        def timed(handle):
            began = time.thread_time()
            run(handle)
            self._step = max(self._step, time.thread_time() - began)

        events.Handle._run = timed  # noqa: SLF001

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_PAUSE)
            self._stall = max(self._stall, time.perf_counter() - began - _PAUSE)

    def take(self) -> tuple[float, float]:
        longest = self._step, self._stall
        self._step = self._stall = 0.0
        return longest


def run(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.L)
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        folder = Path(name)
        world.write(folder)
        with serving(str(folder), by=serve) as server:
            while not server.ask("synced"):
                time.sleep(0.1)
            _settle(server.pid)
            start = server.ask("take")
            with Stream(server.port, server.pid) as stream:
                subscribe_like_envoy(stream)
                _settle(server.pid)
                coming = server.ask("take")
                time.sleep(_STORM_SECONDS if effort.complete else 1.0)
                rest = server.ask("take")
                _storm(world, effort, folder, stream)
                _settle(server.pid)
                storm = server.ask("take")
    for when, measured in (
        ("at its start", start),
        ("when the first Envoy comes", coming),
        ("in a storm of edits", storm),
    ):
        for kind, value, least, mark in (
            ("longest step of the event loop, CPU", measured[0], rest[0], 10.0),
            ("longest time for which it answered nobody", measured[1], rest[1], 50.0),
        ):
            # Nobody is connected at the start who could wait.
            mark_here = None if measured is start and mark > 10 else mark
            yield Figure(
                theme="Event loop",
                name=f"{world.name} {when}: {kind}",
                unit="ms",
                values=(value * 1000,),
                yardstick="at rest",
                against=(least * 1000,),
                mark=mark_here if world is worlds.L else None,
            )


def _settle(pid: int) -> None:
    """Wait until it does nothing but watch itself."""
    settle(pid, quiet=0.5, share=0.4)


def _storm(world: World, effort: Effort, folder: Path, stream: Stream) -> None:
    """Save tables one after the other, while a client takes and accepts all that comes."""
    ending = threading.Event()

    def accept() -> None:
        while not ending.is_set():
            if (received := stream.poll(0.1)) is not None:
                stream.accept(received)

    client = threading.Thread(target=accept)
    client.start()
    seconds, edits = (_STORM_SECONDS, _STORM_EDITS) if effort.complete else (1.0, 10)
    try:
        for number in range(edits):
            table = number * 137 % world.tables
            save(folder / worlds.table_origin(table), worlds.table(table, weight=1 + number))
            time.sleep(seconds / edits)
    finally:
        ending.set()
        client.join()


async def serve(pipe, folder: str, limits) -> None:
    """Run the program, and a watch in its event loop."""
    from penstock import logs
    from penstock.address import Address
    from penstock.serve import Options, running
    from penstock.serve import settle as settle_collector

    logs.configure(form="json", level="error")
    watch = Watch()
    watch.install()
    watching = asyncio.create_task(watch.run())
    anywhere = Address("127.0.0.1", 0)
    options = Options(config=Path(folder), ads=anywhere, admin=anywhere, limits=limits)
    gc.disable()
    async with running(options) as program:
        settling = asyncio.create_task(settle_collector(program))
        pipe.send(program.ads.port)

        def answer(*command):
            match command:
                case ("synced",):
                    return program.controller.state.generation > 0
                case ("take",):
                    return watch.take()

        await obey(pipe, answer)
        watching.cancel()
        settling.cancel()
    pipe.send(None)

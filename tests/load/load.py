"""
Many streams at once: what each costs, whether slow ones hold up others, how a fleet comes back.

`make load` runs this at length; `test_load.py` in short. The server has a process of its own. The
clients share another, each with a connection of its own, and speak the incremental protocol.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from dataclasses import dataclass, field

import grpc
from served_load import NAMES, allow_files, serve, serving

from xds import messages
from xds.limits import Limits
from xds.services import method
from xds.types import ROUTE_CONFIGURATION

_REQUEST = "envoy.service.discovery.v3.DeltaDiscoveryRequest"
_RESPONSE = "envoy.service.discovery.v3.DeltaDiscoveryResponse"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
_NARROW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535))
"""What makes a client that does not read refuse more than 64 kB; else it would take megabytes."""


@dataclass
class Client:
    """A client that wants everything, accepts everything, and remembers what it saw."""

    port: int
    number: int
    reads: bool = True
    got: set[str] = field(default_factory=set)
    """The types of which it has something."""
    pushes: list[str] = field(default_factory=list)
    """What distinguishes each version of the routes it was sent, in order."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self):
        options = _OPTIONS if self.reads else (*_OPTIONS, *_NARROW)
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        self._call = self._channel.stream_stream(method("delta").path)()
        node = {"id": f"envoy-{self.number}"}
        for type_url, name in NAMES.items():
            names = () if "Cluster" in type_url or "Listener" in type_url else (name,)
            if "ClusterLoad" in type_url:
                names = (name,)
            await self._send(type_url=type_url, node=node, resource_names_subscribe=names)
            node = None
        self._reader = asyncio.create_task(self._read()) if self.reads else None
        return self

    async def __aexit__(self, *_):
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        self._call.cancel()
        await self._channel.close()

    async def _send(self, **fields):
        await self._call.write(messages.encode(messages.build(_REQUEST, **fields)))

    async def _read(self):
        while isinstance(payload := await self._call.read(), bytes):
            response = messages.parse(_RESPONSE, payload)
            if response.resources:
                self.got.add(response.type_url)
            if response.type_url == ROUTE_CONFIGURATION:
                [routes] = response.resources
                self.pushes.append(routes.version)
            await self._send(type_url=response.type_url, response_nonce=response.nonce)
            self.news.set()

    async def until(self, condition):
        while not condition(self):
            self.news.clear()
            await self.news.wait()


async def connect(port, count, *, first=0, reads=True):
    """Open streams, all at the same time."""
    clients = [Client(port, first + number, reads) for number in range(count)]
    return await asyncio.gather(*(client.__aenter__() for client in clients))


async def disconnect(clients):
    await asyncio.gather(*(client.__aexit__() for client in clients))


async def complete(clients, seconds):
    """Wait until each has something of each type."""
    async with asyncio.timeout(seconds):
        await asyncio.gather(*(each.until(lambda it: it.got == NAMES.keys()) for each in clients))


async def idle(streams, by=serve):
    """Return the kB that a stream costs a server when nothing happens."""
    with serving(1_000, by=by) as server:
        warm = await connect(server.port, 50)
        await complete(warm, 60)
        before = server.ask("rss")
        clients = await connect(server.port, streams, first=50)
        await complete(clients, 120)
        await asyncio.sleep(1)  # let the last acknowledgements arrive
        after = server.ask("rss")
        assert (50 + streams, 0) == server.ask("streams")
        await disconnect([*warm, *clients])
    return (after - before) / streams


async def push(streams, stuck, pushes, size):
    """
    Push to streams of which some never read, and return the seconds that each push took.

    Raises:
        AssertionError: A client that reads has missed a push.
        TimeoutError: It was not pushed, or nobody was stuck.
    """
    with serving(size) as server:
        slow = await connect(server.port, stuck, first=streams, reads=False)
        good = await connect(server.port, streams - stuck)
        await complete(good, 120)
        times = []
        for number in range(1, pushes + 1):
            began = time.perf_counter()
            server.ask("publish", number)
            async with asyncio.timeout(60):
                await asyncio.gather(
                    *(it.until(lambda it, n=number: len(it.pushes) > n) for it in good)
                )
            times.append(time.perf_counter() - began)
        async with asyncio.timeout(10):
            # All streams are there, and all writes have ended but those that cannot.
            while server.ask("streams") != (streams, stuck):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        await disconnect([*slow, *good])
    assert {pushes + 1} == {len(set(client.pushes)) for client in good}
    assert 1 == len({tuple(client.pushes) for client in good})
    return times


async def come_back(streams, size, limits):
    """
    Let all clients come at once, as after a restart of the server.

    Returns:
        The seconds until the last was complete, and the MB that the server took meanwhile.
    """
    with serving(size, limits) as server:
        before = server.ask("peak")
        began = time.perf_counter()
        clients = await connect(server.port, streams)
        await complete(clients, 120)
        took = time.perf_counter() - began
        peak = server.ask("peak")
        await disconnect(clients)
    return took, (peak - before) / 1024


def told(values, form):
    """Write a median, and the range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--stuck", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    allow_files()
    runs, streams = range(chosen.runs), chosen.streams
    print(f"{streams} streams, {chosen.runs} runs, {os.cpu_count()} cores; median (range)")
    kilobytes = [await idle(streams) for _ in runs]
    print(f"an idle stream: {told(kilobytes, '.1f')} kB")
    for size, stuck in ((2_000, 0), (100_000, 0), (300_000, chosen.stuck)):
        times = [t for _ in runs for t in await push(streams, stuck, 10, size)]
        print(
            f"a push of {size // 1000} kB to {streams - stuck} beside {stuck} that do not read,"
            f" until the last has it: {told(times, '.2f')} s"
        )
    for name, limits in (("100 at a time", Limits()), ("no turns", Limits(first_bursts=10**6))):
        for size in (100_000, 1_000_000):
            results = [await come_back(streams, size, limits) for _ in runs]
            print(
                f"{streams} come back at once for {size // 1000} kB each, {name}:"
                f" {told([it[0] for it in results], '.2f')} s,"
                f" {told([it[1] for it in results], '.0f')} MB more at most"
            )


if __name__ == "__main__":
    asyncio.run(main())

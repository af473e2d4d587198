"""A thousand streams: what a push to all of them costs, and what one holds that is idle."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from load import complete, connect, disconnect, idle
from served_load import allow_files, serve, serving

from benchmarks import raw_server
from benchmarks.clocks import cpu, settle
from benchmarks.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort

_SIZE = 100_000


def run(effort: Effort) -> Iterator[Figure]:
    allow_files()
    ours, raw, least, held = asyncio.run(_measure(effort))
    for number, (kind, unit) in enumerate((("CPU", "ms"), ("time until the last has it", "ms"))):
        yield Figure(
            theme="Server",
            name=f"a push of {_SIZE // 1000} kB to {effort.streams:,} streams, {kind}",
            unit=unit,
            values=tuple(each[number] * 1000 for each in ours),
            yardstick="raw grpc.aio writing the same bytes",
            against=tuple(each[number] * 1000 for each in raw),
            mark=1.15 if effort.complete else None,
            marked="ratio",
        )
    yield Figure(
        theme="Memory",
        name=f"an idle stream, of {effort.streams:,}",
        unit="kB",
        values=tuple(held),
        yardstick="one of raw grpc.aio",
        against=tuple(least),
        mark=48.0 if effort.complete else None,
    )


async def _measure(effort: Effort):
    # All in one event loop, because gRPC takes the first for the only one.
    ours, raw = await _push(effort)
    least, held = [], []
    for _ in range(effort.starts):
        least.append(await idle(effort.streams, raw_server.serve))
        held.append(await idle(effort.streams))
    return ours, raw, least, held


async def _push(effort: Effort) -> list[list[tuple[float, float]]]:
    """
    Push in turns from two servers to clients of the same kind.

    Returns:
        For each server the CPU seconds that each push took it, acknowledgements and all, and the
        seconds until the last client had it.
    """
    found: list[list[tuple[float, float]]] = [[], []]
    with serving(_SIZE, by=serve) as ours, serving(_SIZE, by=raw_server.serve) as raw:
        servers = (ours, raw)
        fleets = [await connect(server.port, effort.streams) for server in servers]
        for fleet in fleets:
            await complete(fleet, 120)
        for number in range(1, effort.rounds + 1):
            for server, fleet, spans in zip(servers, fleets, found, strict=True):
                await asyncio.to_thread(settle, server.pid)
                before, began = cpu(server.pid), time.perf_counter()
                server.ask("publish", number)
                async with asyncio.timeout(60):
                    await asyncio.gather(
                        *(each.until(lambda it, n=number: len(it.pushes) > n) for each in fleet)
                    )
                took = time.perf_counter() - began
                await asyncio.to_thread(settle, server.pid)
                spans.append((cpu(server.pid) - before, took))
        for fleet in fleets:
            await disconnect(fleet)
    return found

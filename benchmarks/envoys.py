"""
From the save of a table to the first new answer of a real Envoy, over what Envoy itself takes.

There are two Envoys: one is served by Penstock, the other by a server that knows nothing and only
sends it, from memory, the very bytes that Penstock sends after the same edit. What the second takes
until it acknowledges them is what nobody can avoid.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from support import ControlPlane, RealEnvoy, fetch, free_port, save

from benchmarks import worlds
from benchmarks.bare import BareServer, on_port
from benchmarks.clocks import settle
from benchmarks.figures import Figure
from benchmarks.program import noticed_after, started
from benchmarks.stream import Stream, subscribe_like_envoy
from xds.types import LISTENER, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort
    from benchmarks.worlds import World

_MARKS = {"M": 1.5, "L": 1.2}
PROBED = 0
"""The table with a route that answers by itself."""


def run(effort: Effort) -> Iterator[Figure]:
    # In a small world Envoy is done before the clock tells, so it is for want of a larger one.
    for world in [each for each in effort.worlds if each is not worlds.S] or effort.worlds:
        with tempfile.TemporaryDirectory(prefix="penstock-") as name:
            yield from _measure(world, effort, Path(name))


def write(world: World, config: Path, port: int) -> None:
    """Write a world of which one table has a route to ask for, through a gateway on a port."""
    world.write(config)
    save(config / "ops" / "gateway.yaml", worlds.gateway(port))
    probe(config, "first")


def probe(config: Path, answer: str) -> float:
    """Save the probed table with another answer, and return the time of day when it was saved."""
    text = worlds.table(PROBED, probe=answer)
    now = datetime.now(UTC).timestamp()
    save(config / worlds.table_origin(PROBED), text)
    return now


def answers(port: int, answer: str) -> bool:
    """Tell whether an Envoy has the new route."""
    host = {"Host": worlds.domain_name(PROBED)}
    return fetch(port, worlds.probe_path(PROBED), host).body == answer


def until_answered(port: int, answer: str, seconds: float = 600.0) -> float:
    """Wait for a new answer, and return when it came."""
    end = time.monotonic() + seconds
    while not answers(port, answer):
        if time.monotonic() > end:
            raise TimeoutError(f"no answer {answer!r} within {seconds:g} s")
        time.sleep(0.001)
    return time.perf_counter()


def _measure(world: World, effort: Effort, base: Path) -> Iterator[Figure]:
    config, port, other = base / "config", free_port(), free_port()
    write(world, config, port)
    with ExitStack() as stack:
        penstock = stack.enter_context(ControlPlane(config, base / "penstock"))
        started(penstock)
        resources, versions = _both(penstock, config)
        resources[LISTENER] = {
            name: on_port(listener, other) for name, listener in resources[LISTENER].items()
        }
        bare = stack.enter_context(BareServer(resources))
        envoys = [
            stack.enter_context(RealEnvoy(base / f"envoy-{number}", "delta", server, f"e{number}"))
            for number, server in enumerate((penstock.ads_port, bare.port))
        ]
        for listening in (port, other):
            until_answered(listening, "second")
        spans = [
            _round(penstock, config, port, bare, versions, number)
            for number in range(effort.rounds_at(world))
        ]
        for envoy in envoys:
            assert not envoy.rejected()
    edits, ingests, debounces = zip(*spans, strict=True)
    yield Figure(
        theme="Through Envoy",
        name=f"an edited table of {world.name}, until Envoy's new answer, without the debounce",
        unit="ms",
        values=edits,
        yardstick="Envoy's own ingest of the same bytes",
        against=ingests,
        mark=_MARKS.get(world.name),
        marked="ratio",
    )
    yield Figure(
        theme="Through Envoy",
        name=f"the debounce of these edits of {world.name}",
        unit="ms",
        values=debounces,
        yardstick="Envoy's own ingest of the same bytes",
        against=ingests,
    )


def _both(
    penstock: ControlPlane, config: Path
) -> tuple[dict[str, dict[str, bytes]], tuple[bytes, bytes]]:
    """Return what an Envoy gets, and the routes with the first answer and with the second."""
    pid = penstock.process.pid
    with Stream(penstock.ads_port, pid) as stream:
        first = subscribe_like_envoy(stream)
        probe(config, "second")
        (changed,) = stream.accept(stream.receive()).resources
        settle(pid)
    ((name, before),) = first[ROUTE_CONFIGURATION].items()
    after = changed.SerializeToString(deterministic=True)
    return {**first, ROUTE_CONFIGURATION: {name: after}}, (before, after)


def _round(
    penstock: ControlPlane,
    config: Path,
    port: int,
    bare: BareServer,
    versions: tuple[bytes, bytes],
    number: int,
) -> tuple[float, float, float]:
    """
    Change the answer of both Envoys, one after the other.

    Returns:
        In ms, until the one answers without the debounce, until the other acknowledges, and the
        debounce.
    """
    settle(penstock.process.pid)
    began = time.perf_counter()
    saved = probe(config, ("first", "second")[number % 2])
    answered = until_answered(port, ("first", "second")[number % 2])
    settle(penstock.process.pid)
    debounce = noticed_after(penstock, saved)
    ingest = bare.push(ROUTE_CONFIGURATION, versions[number % 2])
    return (answered - began - debounce) * 1000, ingest * 1000, debounce * 1000

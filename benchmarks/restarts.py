"""How soon a control plane that comes back with its state answers an Envoy."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from support import ControlPlane

from benchmarks import worlds
from benchmarks.clocks import Moment, settle
from benchmarks.clocks import run as run_program
from benchmarks.figures import Figure
from benchmarks.program import started
from benchmarks.stream import Stream
from xds.types import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort


_IMPORTS = """
import os
import penstock.cli, penstock.serve_command, penstock.serve
from xds import messages
messages.message_class("envoy.service.discovery.v3.DeltaDiscoveryRequest")
os._exit(0)  # to take everything down again is no part of a start
"""


def run(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.L)
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        base = Path(name)
        world.write(base / "config")
        penstock = ControlPlane(base / "config", base / "log", state=base / "state")
        _prepare(penstock)
        pairs = [(_imported(), _answered(penstock)) for _ in range(effort.rounds_at(world))]
    imports, spans = zip(*pairs, strict=True)
    for what, kind, mark in (("spent", "CPU", 0.5), ("at", "time", None)):
        least = tuple(getattr(moment, what) for moment in imports)
        yield Figure(
            theme="Start",
            name=f"warm start of {world.name} until an Envoy's first answer, {kind} beyond imports",
            unit="s",
            values=tuple(
                getattr(span, what) - each for span, each in zip(spans, least, strict=True)
            ),
            yardstick="the imports",
            against=least,
            mark=mark if world is worlds.L else None,
        )


def _imported() -> Moment:
    """Import the program, and what it needs to understand a request, and return when it ended."""
    began = time.perf_counter()
    spent = run_program("-c", _IMPORTS)
    return Moment(at=time.perf_counter() - began, spent=spent)


def _prepare(penstock: ControlPlane) -> None:
    """Let it serve once, so that its state is kept."""
    with penstock:
        started(penstock)
        settle(penstock.process.pid)
        penstock.end(signal.SIGTERM, deadline=60)


def _answered(penstock: ControlPlane) -> Moment:
    """Start it again, and return when an Envoy that waits has its first answer, from the start."""
    began = time.perf_counter()
    penstock.start()
    try:
        pid = penstock.process.pid
        with Stream(penstock.ads_port, pid) as stream:
            stream.subscribe(CLUSTER)
            moment = stream.receive().moment
    finally:
        penstock.kill()
    return Moment(at=moment.at - began, spent=moment.spent)

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
from benchmarks.figures import Figure
from benchmarks.program import started
from benchmarks.stream import Stream
from xds.types import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort


def run(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.L)
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        base = Path(name)
        world.write(base / "config")
        worlds.one_file(base / "tiny")
        tiny = ControlPlane(base / "tiny", base / "tiny-log", state=base / "tiny-state")
        full = ControlPlane(base / "config", base / "log", state=base / "state")
        for each in (tiny, full):
            _prepare(each)
        pairs = [(_answered(tiny), _answered(full)) for _ in range(effort.starts)]
    imports, spans = zip(*pairs, strict=True)
    size = sum(map(len, world.files().values())) / 1e6
    for what, mark in (("spent", 0.5), ("at", None)):
        kind = "CPU" if what == "spent" else "time"
        yield Figure(
            theme="Start",
            name=f"warm start of {world.name} ({size:.0f} MB of YAML) until an Envoy's first answer,"
            f" {kind} beyond that of an empty one",
            unit="s",
            values=tuple(
                getattr(span, what) - getattr(least, what)
                for span, least in zip(spans, imports, strict=True)
            ),
            yardstick=f"an empty one's, {kind}",
            against=tuple(getattr(least, what) for least in imports),
            mark=mark if world is worlds.L else None,
        )


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

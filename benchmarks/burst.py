"""Many saves in a short time, as after a rebase or a release train, beside a real Envoy."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from support import ControlPlane, RealEnvoy, free_port, save

from benchmarks import worlds
from benchmarks.clocks import Moment, settle, spent
from benchmarks.envoys import PROBED, probe, until_answered, write
from benchmarks.figures import Figure
from benchmarks.program import started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort
    from benchmarks.worlds import World


def run(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.M)
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        base, port = Path(name), free_port()
        write(world, base / "config", port)
        with (
            ControlPlane(base / "config", base / "penstock") as penstock,
            RealEnvoy(base / "envoy", "delta", penstock.ads_port),
        ):
            started(penstock)
            until_answered(port, "first")
            spans = [
                _round(world, effort, penstock, base / "config", port, number)
                for number in range(effort.starts)
            ]
    single, late, busy, parse = zip(*spans, strict=True)
    burst = f"{effort.burst:,} saves in {effort.burst_seconds:g} s in {world.name}"
    marked = effort.complete and world is worlds.M
    yield Figure(
        theme="Through Envoy",
        name=f"{burst}: from the last until Envoy's new answer, debounce and all",
        unit="s",
        values=late,
        yardstick="a single save, likewise",
        against=single,
        mark=2.0 if marked else None,
    )
    yield Figure(
        theme="Through Envoy",
        name=f"{burst}: CPU, of one core",
        unit="%",
        values=busy,
        yardstick="PyYAML's C parse of what was saved",
        against=parse,
        mark=50.0 if marked else None,
    )


def _round(
    world: World, effort: Effort, penstock: ControlPlane, config: Path, port: int, number: int
) -> tuple[float, float, float, float]:
    """
    Save one file and wait for it, then many and wait for the last.

    Returns:
        The seconds until Envoy answers after a single save and after the last of many, and the
        percents of a core that it took from the first to there, and that a parse alone takes.
    """
    pid = penstock.process.pid
    settle(pid)
    began = time.perf_counter()
    probe(config, f"single-{number}")
    single = until_answered(port, f"single-{number}") - began
    texts = [
        (worlds.table_origin(table), worlds.table(table, weight=1 + (number + each) % 99))
        for each in range(effort.burst)
        if (table := each * 37 % world.tables) != PROBED
    ]
    _, parse = spent(lambda: [list(yaml.load_all(text, yaml.CSafeLoader)) for _, text in texts])
    settle(pid)
    before = Moment.of(pid)
    for each, (origin, text) in enumerate(texts):
        pause = before.at + each * effort.burst_seconds / effort.burst - time.perf_counter()
        time.sleep(max(0.0, pause))
        save(config / origin, text)
    last = time.perf_counter()
    probe(config, f"last-{number}")
    answered = until_answered(port, f"last-{number}")
    after = Moment.of(pid)
    share = 100 / (after.at - before.at)
    return single, answered - last, (after.spent - before.spent) * share, parse * share

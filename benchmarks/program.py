"""
`penstock serve` as a process: how it starts, what it holds, what an edit and a new pod cost it.

CPU time is that of the whole process. An edit's is counted from before the file is saved until the
first byte of the response has left; the client is another process, with a relay before it.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from support import ControlPlane, save, wait_until

from benchmarks import worlds
from benchmarks.clocks import Moment, cpu, resident, settle, spent
from benchmarks.figures import Figure
from benchmarks.stream import Relay, Stream, subscribe_like_envoy
from benchmarks.yardsticks import parse_in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort
    from benchmarks.worlds import World

_EDIT_MARKS = {"M": 20.0, "L": 60.0}
_POD_MARKS = {"L": 5.0}
_START_MARKS = {"M": 3.0, "L": 3.0}
_MEMORY_MARKS = {"L": 4.0}


def run(effort: Effort) -> Iterator[Figure]:
    for world in effort.worlds:
        with tempfile.TemporaryDirectory(prefix="penstock-") as name:
            yield from _measure(world, effort, Path(name))


def started(penstock: ControlPlane, deadline: float = 600.0) -> Moment:
    """Wait for the first snapshot, and return when it was there."""
    wait_until(
        lambda: penstock.alive() and penstock.events("reload_finished"), "a snapshot", deadline
    )
    return Moment.of(penstock.process.pid)


def noticed_after(penstock: ControlPlane, saved: float) -> float:
    """
    Return how many seconds after a save the program noticed it: how long it waited for silence.

    Args:
        penstock: The program; it has finished what came of the save.
        saved: The time of day, in seconds, of the save.
    """
    event = penstock.events("reload_finished")[-1]
    finished = datetime.fromisoformat(event["timestamp"]).timestamp()
    return finished - event["seconds"] - saved


def _measure(world: World, effort: Effort, base: Path) -> Iterator[Figure]:
    world.write(base / "config")
    worlds.one_file(base / "tiny")
    folder = base / "config"
    cold: list[float] = []
    parses: list[float] = []
    for number in range(effort.starts_at(world)):
        parses.append(parse_in_process(folder))
        with ControlPlane(base / "tiny", base / f"tiny-{number}") as tiny:
            nothing = started(tiny).spent
            settle(tiny.process.pid)
            idle = resident(tiny.process.pid)
        with ControlPlane(folder, base / f"start-{number}") as penstock:
            cold.append(started(penstock).spent - nothing)
            if number + 1 == effort.starts_at(world):
                settle(penstock.process.pid)
                grown = resident(penstock.process.pid) - idle
                after = list(_changes(world, effort, penstock))
    yield Figure(
        theme="Start",
        name=f"cold start of {world.name}, without what an empty one takes",
        unit="s",
        values=tuple(cold),
        yardstick="PyYAML's C parse of all files",
        against=tuple(parses),
        mark=_START_MARKS.get(world.name),
        marked="ratio",
        growth=("cold start", world.routes),
    )
    yield Figure(
        theme="Memory",
        name=f"resident for each route of {world.name}",
        unit="kB",
        values=(grown / world.routes,),
        yardstick="of YAML",
        against=(sum(map(len, world.files().values())) / 1024 / world.routes,),
        mark=_MEMORY_MARKS.get(world.name),
    )
    yield Figure(
        theme="Memory",
        name=f"resident for all of {world.name}",
        unit="MB",
        values=(grown / 1024,),
        yardstick="the idle process",
        against=(idle / 1024,),
        growth=("memory", world.routes),
    )
    yield from after


def _changes(world: World, effort: Effort, penstock: ControlPlane) -> Iterator[Figure]:
    """Edit tables, then replace pods, beside a client that has everything."""
    pid = penstock.process.pid
    with Relay(penstock.ads_port, pid) as relay, Stream(relay.port, pid) as stream:
        subscribe_like_envoy(stream)
        rounds = effort.rounds_at(world)

        def table(number: int) -> tuple[str, str]:
            # Some way from each other, and not always in a domain of the same kind.
            chosen = (7 + 137 * number) % world.tables
            return worlds.table_origin(chosen), worlds.table(chosen, weight=1 + number)

        def pods(number: int) -> tuple[str, str]:
            chosen = (3 + 61 * number) % world.upstreams
            return worlds.pods_origin(chosen), worlds.pods(chosen, generation=1 + number)

        for what, change, marks in (
            ("an edited table", table, _EDIT_MARKS),
            ("a replaced pod", pods, _POD_MARKS),
        ):
            spans = [_change(penstock, relay, stream, *change(number)) for number in range(rounds)]
            first, rest, wall, parse = zip(*spans, strict=True)
            for name, values, mark in (
                ("CPU until the first byte", first, marks.get(world.name)),
                ("CPU until all is at rest", rest, None),
                ("time until the first byte, without the debounce", wall, None),
            ):
                yield Figure(
                    theme="Edits",
                    name=f"{what} of {world.name}: {name}",
                    unit="ms",
                    values=values,
                    yardstick="PyYAML's parse of the file",
                    against=parse,
                    mark=mark,
                    growth=(f"{what}, CPU", world.routes) if values is first else None,
                )


def _change(
    penstock: ControlPlane, relay: Relay, stream: Stream, origin: str, text: str
) -> tuple[float, float, float, float]:
    """
    Save a file.

    Returns:
        In ms: CPU until the first byte, CPU until everything is at rest again, the time until the
        first byte without that in which the folder had to be quiet, and the parse of the file.
    """
    pid = penstock.process.pid
    settle(pid)
    _, parse = spent(lambda: list(yaml.load_all(text, yaml.CSafeLoader)))
    path = Path(penstock.command[4]) / origin
    relay.arm()
    before, day = Moment.of(pid), datetime.now().astimezone().timestamp()
    save(path, text)
    first = relay.first()
    stream.accept(stream.receive())
    settle(pid)
    debounce = noticed_after(penstock, day)
    return (
        (first.spent - before.spent) * 1000,
        (cpu(pid) - before.spent) * 1000,
        (first.at - before.at - debounce) * 1000,
        parse * 1000,
    )

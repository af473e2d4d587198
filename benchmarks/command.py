"""`penstock check` as people run it: from the command to its last word, CPU time of the process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import worlds
from benchmarks.clocks import run as run_program
from benchmarks.figures import Figure
from benchmarks.yardsticks import parse_in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort

_LIBRARIES = "import pydantic, yaml, re2, click"


def run(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.M)
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        folder = Path(name) / "config"
        world.write(folder)
        file = worlds.one_file(Path(name))
        run_program("-m", "penstock", "check", file)  # so that all bytecode is cached
        start, imports, whole, parse = [], [], [], []
        for _ in range(effort.rounds):
            imports.append(run_program("-c", _LIBRARIES))
            start.append(run_program("-m", "penstock", "check", file))
        for _ in range(effort.starts):
            parse.append(parse_in_process(folder))
            whole.append(run_program("-m", "penstock", "check", folder))
    yield Figure(
        theme="Command line",
        name="`penstock check` of one file",
        unit="s",
        values=tuple(start),
        yardstick=f"`{_LIBRARIES}`",
        against=tuple(imports),
        mark=0.35,
    )
    yield Figure(
        theme="Command line",
        name=f"`penstock check` of {world.name}",
        unit="s",
        values=tuple(whole),
        yardstick="PyYAML's C parse of all files",
        against=tuple(parse),
        mark=2.5 if world is worlds.M else None,
        marked="ratio",
    )

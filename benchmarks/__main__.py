"""
Run all benchmarks: `python -m benchmarks`, or some: `python -m benchmarks messages program`.

Each figure goes to standard error when it is known, and all of them in tables to standard output.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import figures
from benchmarks.effort import SHORT, Effort
from benchmarks.worlds import ALL as WORLDS

if TYPE_CHECKING:
    from benchmarks.figures import Figure

ALL = (
    "messages",
    "translation",
    "program",
    "restarts",
    "command",
    "clusters",
    "streams",
    "envoys",
    "burst",
    "loop",
)
"""The modules that measure something, in the order in which they are run."""


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--short", action="store_true", help="small worlds, and few rounds")
    parser.add_argument("--worlds", help="only these sizes, such as S,M")
    parser.add_argument("--rounds", type=int, help="at most so many of anything")
    parser.add_argument("--markdown", action="store_true", help="print tables for a document")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in ALL:
            parser.error(f"no benchmark is called {name!r}; there are {', '.join(ALL)}")
    effort = SHORT if chosen.short else Effort()
    if chosen.worlds:
        sizes = tuple(WORLDS[name] for name in chosen.worlds.split(","))
        effort = replace(effort, worlds=sizes)
    if chosen.rounds:
        effort = replace(
            effort,
            rounds=min(effort.rounds, chosen.rounds),
            starts=min(effort.starts, chosen.rounds),
        )
    # Who is ended while it measures ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = measure(chosen.names or ALL, effort)
    print(document(found) if chosen.markdown else report(found))


def measure(names, effort) -> list[Figure]:
    """Run some benchmarks, and tell what they find as they go."""
    # The programs that are measured cache their bytecode, as installed ones do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found: list[Figure] = []
    for name in names:
        began = time.monotonic()
        for figure in import_module(f"benchmarks.{name}").run(effort):
            print("  ".join(figure.cells()), file=sys.stderr, flush=True)
            found.append(figure)
        print(f"[{name}: {time.monotonic() - began:.0f} s]\n", file=sys.stderr, flush=True)
    return found


def report(found) -> str:
    """Write all figures for a terminal: those with a mark first."""
    rows = sorted(found, key=lambda figure: figure.mark is None)
    parts = [figures.text(figures.HEADINGS, [figure.cells() for figure in rows])]
    if growing := figures.growth(found):
        parts.append(figures.text(figures.GROWTH_HEADINGS, growing))
    marked = [figure for figure in found if figure.mark is not None]
    met = sum(figure.verdict == "met" for figure in marked)
    parts.append(f"{met} of {len(marked)} marks are met; {machine()}")
    return "\n\n".join(parts)


def document(found) -> str:
    """Write all figures for docs/performance.md: a table for each theme."""
    parts = [f"{machine()}; median (range)."]
    for theme, group in figures.themes(found):
        table = figures.markdown(figures.HEADINGS, (figure.cells() for figure in group))
        parts.append(f"### {theme}\n\n{table}")
    if growing := figures.growth(found):
        parts.append(f"### Growth\n\n{figures.markdown(figures.GROWTH_HEADINGS, growing)}")
    return "\n\n".join(parts)


def machine() -> str:
    """Tell where and when this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores, load {load} at the end,"
        f" Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()

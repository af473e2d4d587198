"""
A translation stage by stage, in this process, over PyYAML's C parse of the same texts.

Besides the first translation it measures the next one, after an edit of one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from benchmarks import worlds
from benchmarks.clocks import spent
from benchmarks.figures import Figure
from translator.emit import emit
from translator.emit.proxyless import emit_proxyless, proxyless
from translator.pipeline import Inputs, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.effort import Effort
    from benchmarks.worlds import World

_EDITS = 3
"""How many edits follow each other in a round."""


def run(effort: Effort) -> Iterator[Figure]:
    _load()
    for world in effort.worlds:
        yield from _measure(world, effort)


def _load() -> None:
    """Let everything be loaded that is loaded when it is first needed."""
    (proxy,) = translate(Inputs(files=worlds.S.files()), None).proxies
    emit(proxy)
    _for_grpc(proxy, None)


def _measure(world: World, effort: Effort) -> Iterator[Figure]:
    files = world.files()
    times: dict[str, list[float]] = {}
    parses: list[float] = []
    for _ in range(effort.starts_at(world)):
        parses.append(spent(lambda: _parse(files))[1])
        for stage, seconds in _round(world, files):
            times.setdefault(stage, []).append(seconds)
    for stage, seconds in times.items():
        yield Figure(
            theme="Translation",
            name=f"{world.name}: {stage}",
            unit="ms",
            values=tuple(each * 1000 for each in seconds),
            yardstick="PyYAML's C parse of all files",
            against=tuple(each * 1000 for each in parses),
            growth=(stage, world.routes),
        )


def _parse(files: Mapping[str, bytes]) -> None:
    for text in files.values():
        for _ in yaml.load_all(text, yaml.CSafeLoader):
            pass


def _round(world: World, files: Mapping[str, bytes]) -> Iterator[tuple[str, float]]:
    """Yield each stage with the CPU seconds that it took."""
    translation, took = spent(lambda: translate(Inputs(files=files), None))
    assert translation.diagnostics == ()
    yield "translate", took
    snapshot, took = spent(lambda: emit(translation.proxies[0]))
    yield "encode", took
    calls, took = spent(lambda: _for_grpc(translation.proxies[0], None))
    yield "encode for gRPC clients", took
    for number in range(_EDITS):
        table = (number * 137 + 7) % world.tables
        text = worlds.table(table, weight=1 + number).encode()
        files = {**files, worlds.table_origin(table): text}
        before = translation.proxies[0]
        translation, took = spent(lambda: translate(Inputs(files=files), translation))  # noqa: B023
        yield "translate after an edit", took
        (proxy,) = translation.proxies
        snapshot, took = spent(lambda: emit(proxy, (before, snapshot)))  # noqa: B023
        yield "encode after an edit", took
        calls, took = spent(lambda: _for_grpc(proxy, calls))  # noqa: B023
        yield "encode for gRPC clients after an edit", took


def _for_grpc(proxy, previous):
    calls = proxyless(proxy, previous[0] if previous else None)
    return calls, emit_proxyless(calls, previous)

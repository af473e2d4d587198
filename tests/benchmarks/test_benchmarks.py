"""That the benchmarks go on working; what they find is for `make bench` to tell."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from importlib import import_module

import pytest

from benchmarks import clocks, figures, worlds
from benchmarks.__main__ import ALL, document, main, report
from benchmarks.effort import SHORT, Effort
from benchmarks.figures import Figure
from translator.pipeline import Inputs, translate

LEAST = replace(SHORT, rounds=1, streams=5, clusters=20)
FIGURE = Figure(
    theme="Edits",
    name="an edit",
    unit="ms",
    values=(30.0, 10.0, 20.0),
    yardstick="a parse",
    against=(4.0, 5.0, 6.0),
)


def test_worlds_are_always_the_same():
    """Two runs measure the same texts."""
    assert worlds.S.files() == worlds.S.files()


@pytest.mark.slow
def test_worlds_are_valid():
    """Nothing is wrong with a world, and all of its routes are served."""
    translation = translate(Inputs(files=worlds.S.files()), None)

    (proxy,) = translation.proxies
    (table,) = proxy.route_configurations
    assert () == translation.diagnostics
    assert worlds.S.routes == sum(len(host.routes) for host in table.virtual_hosts)
    assert worlds.S.upstreams == len(proxy.clusters)
    assert worlds.S.pods == sum(len(each.endpoints) for each in proxy.load_assignments)


@pytest.mark.slow
def test_worlds_can_be_probed():
    """A probe is one more route, and a gateway opens the port that was asked for."""
    files = worlds.S.files() | {
        "ops/gateway.yaml": worlds.gateway(12345).encode(),
        worlds.table_origin(3): worlds.table(3, probe="hello").encode(),
    }

    translation = translate(Inputs(files=files), None)

    (proxy,) = translation.proxies
    (table,) = proxy.route_configurations
    assert () == translation.diagnostics
    assert [12345] == [listener.port for listener in proxy.listeners]
    assert worlds.S.routes + 1 == sum(len(host.routes) for host in table.virtual_hosts)


@pytest.mark.parametrize(
    ("mark", "marked", "verdict"),
    [
        (None, "value", "-"),
        (20.0, "value", "met"),
        (10.0, "value", "short, 2.00 times"),
        (16.0, "value", "short by 25%"),
        (4.0, "ratio", "met"),
        (1.6, "ratio", "short, 2.50 times"),
    ],
)
def test_a_mark_is_for_the_median(mark, marked, verdict):
    """A mark is compared with the median, or with the ratio of the medians."""
    figure = replace(FIGURE, mark=mark, marked=marked)

    assert 4.0 == figure.ratio
    assert verdict == figure.verdict


def test_tables_tell_both_sides_of_a_ratio():
    """The absolute values and the range stand beside each ratio, in every form."""
    marked = replace(FIGURE, mark=15.0)

    for text in (report([marked]), document([marked])):
        for part in ("20.0 ms (10.0 to 30.0)", "5.00 ms (4.00 to 6.00), a parse", "4.00 x"):
            assert part in text


def test_the_cpu_clock_of_another_process_is_read():
    """What is read from outside is what a process reads of itself."""
    before = time.process_time()
    read = clocks.cpu(os.getpid())
    after = time.process_time()

    assert before <= read <= after


def test_growth_is_told_as_exponents():
    """What grows as the routes do has the exponent 1 from size to size; what stays has 0."""
    found = [
        replace(FIGURE, values=(value,), growth=("an edit", routes))
        for routes, value in ((1_000, 5.0), (10_000, 50.0), (100_000, 50.0))
    ]

    ((kind, sizes, values, exponents),) = figures.growth(found)

    assert ("an edit", "1.00, 0.00") == (kind, exponents)
    assert "1,000 to 10,000 to 100,000" == sizes
    assert "5.00 ms, 50.0 ms, 50.0 ms" == values


def test_the_nearest_world_is_no_larger():
    """A run of small worlds never measures a large one."""
    assert worlds.M is Effort(worlds=(worlds.S, worlds.M)).nearest(worlds.L)
    assert worlds.S is Effort(worlds=(worlds.S, worlds.L)).nearest(worlds.M)


def test_unknown_benchmarks_are_refused(capsys):
    """A name that is wrong is told, with those that there are."""
    with pytest.raises(SystemExit):
        main(["mesages"])

    assert "'mesages'; there are messages, translation" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "messages",
        "translation",
        "program",
        "clusters",
        pytest.param("envoys", marks=pytest.mark.envoy),
    ],
)
def test_benchmarks_work(name):
    """In short, a benchmark comes to its end and measures something."""
    assert name in ALL

    found = list(import_module(f"benchmarks.{name}").run(LEAST))

    assert found
    assert all(figure.values and len(figure.against) for figure in found)
    assert len({figure.name for figure in found}) == len(found)

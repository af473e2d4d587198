"""The load in short; `make load` runs it at length and tells the figures."""

import asyncio

import pytest
from load import come_back, idle, push

from xds.limits import Limits

pytestmark = pytest.mark.slow


def test_rule_112_slow_clients_hold_up_nobody():
    """Beside five clients that never read, the others get each push, in order and in time."""
    times = asyncio.run(push(100, 5, 10, 300_000))

    assert 10 == len(times)
    assert 10 > max(times)


def test_rule_116_a_fleet_comes_back():
    """A hundred clients at once are all served, twenty at a time or fewer."""
    took, megabytes = asyncio.run(come_back(100, 1_000_000, Limits(first_bursts=5)))

    assert 20 > took
    # Without turns there would be two copies of each response at the same time.
    assert 100 > megabytes


def test_an_idle_stream_costs_little():
    """A stream costs some tens of kB while nothing happens; see docs/performance.md."""
    assert 80 > asyncio.run(idle(200))

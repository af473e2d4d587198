"""Turns for first bursts, and the pace of requests, without any transport."""

import asyncio
import random

import pytest
from serving import asynchronous, slow

from xds.admission import Admission
from xds.pace import TokenBucket
from xds.testing import FakeClock

LONG = 3600.0


def admission(limit, *, turn=LONG, wait=LONG):
    return Admission(limit, turn_seconds=turn, wait_seconds=wait)


async def settle():
    """Let everybody run who can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Queue:
    """Clients that come one after the other; `served` are those who got on, in order."""

    def __init__(self, to, number):
        self.served = []
        self.ends = {}
        self.tasks = [asyncio.create_task(self._come(to, each)) for each in range(number)]

    async def _come(self, to, number):
        self.ends[number] = await to.enter()
        self.served.append(number)


@asynchronous
async def test_rule_116_turns_in_order():
    """No more have their turn than may, and who came first is first."""
    door = admission(2)
    queue = Queue(door, 5)
    await settle()
    first = list(queue.served)

    queue.ends[1]()
    await settle()
    then = list(queue.served)
    queue.ends[1]()  # again: no effect
    await settle()
    still = list(queue.served)
    for number in (0, 2):
        queue.ends[number]()
    await settle()

    assert ([0, 1], [0, 1, 2], [0, 1, 2]) == (first, then, still)
    assert [0, 1, 2, 3, 4] == queue.served
    assert 0 == door.waiting


@asynchronous
async def test_rule_116_no_turn_lasts_for_ever():
    """Who never gives its verdict keeps its turn to itself for a while only."""
    door = admission(1, turn=0.01)
    queue = Queue(door, 4)

    async with asyncio.timeout(5):
        await asyncio.gather(*queue.tasks)

    assert [0, 1, 2, 3] == queue.served


@asynchronous
async def test_rule_116_no_wait_lasts_for_ever():
    """Who has waited long enough is served without a turn, and takes none from others."""
    door = admission(1, wait=0.01)
    queue = Queue(door, 3)
    async with asyncio.timeout(5):
        await asyncio.gather(*queue.tasks)

    for number in (1, 2):
        queue.ends[number]()
    later = Queue(door, 1)
    await settle()
    before = list(later.served)
    queue.ends[0]()
    await settle()

    assert ([], [0]) == (before, later.served)


@asynchronous
async def test_rule_116_who_goes_while_waiting_takes_no_turn():
    """A client that goes away in the queue leaves its place to the next."""
    door = admission(1)
    queue = Queue(door, 3)
    await settle()

    queue.tasks[1].cancel()
    await settle()
    queue.ends[0]()
    await settle()

    assert [0, 2] == queue.served


@slow
@pytest.mark.parametrize("seed", range(5))
@asynchronous
async def test_rule_116_turns_are_never_lost(seed):
    """Whatever clients do, in the end all turns are free again."""
    chance = random.Random(seed)
    door = admission(3, turn=0.02, wait=0.01)

    async def client():
        await asyncio.sleep(chance.random() / 20)
        end = await door.enter()
        await asyncio.sleep(chance.random() / 50)
        if chance.random() < 0.7:
            end()

    tasks = [asyncio.create_task(client()) for _ in range(300)]
    for task in chance.sample(tasks, 60):
        asyncio.get_running_loop().call_later(chance.random() / 20, task.cancel)
    await asyncio.wait(tasks, timeout=5)
    await asyncio.sleep(0.03)  # the last turns that nobody ended
    after = Queue(door, 4)
    await settle()

    assert all(task.done() for task in tasks)
    assert [0, 1, 2] == after.served
    after.tasks[3].cancel()


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([0, 0, 0], [0, 0, 0]),
        ([0, 0, 0, 0, 0], [0, 0, 0, 0.1, 0.2]),
        ([0, 0, 0, 0, 0.1, 0.1], [0, 0, 0, 0.1, 0.1, 0.1]),
        ([0, 0, 0, 0, 100, 0, 0, 0], [0, 0, 0, 0.1, 0, 0, 0, 0.1]),
        ([0.1] * 50, [0] * 50),
    ],
)
def test_rule_115_token_bucket(pauses, expected):
    """Ten requests a second are free and three at once; what is beyond waits until it is due."""
    clock = FakeClock(1000.0)
    bucket = TokenBucket(rate=10, burst=3, clock=clock)

    waits = []
    for pause in pauses:
        clock.advance(pause)
        waits.append(bucket.take())

    assert pytest.approx(expected) == waits

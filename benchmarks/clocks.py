"""What a process costs: its CPU time and its memory, for any process of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_SCHED = 2
"""Of a process' CPU clocks, the one that counts nanoseconds and not ticks."""


def cpu(pid: int) -> float:
    """
    Return the CPU seconds of all threads of a process so far, also of those that have ended.

    The number of another process' clock is made as clock_getcpuclockid(3) does. It is exact at any
    moment, where the files in /proc are only brought up to date at each tick of the scheduler.
    """
    return time.clock_gettime((~pid << 3) | _SCHED)


def resident(pid: int) -> float:
    """Return the kB of a process that are in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def settle(pid: int, *, quiet: float = 0.1, share: float = 0.01, deadline: float = 600.0) -> None:
    """
    Wait until a process rests.

    Args:
        pid: The process.
        quiet: For how many seconds it has to rest.
        share: How much of a core it may use meanwhile.
        deadline: How many seconds to wait at most.

    Raises:
        TimeoutError: It does not come to rest.
    """
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        before = cpu(pid)
        time.sleep(quiet)
        if cpu(pid) - before < quiet * share:
            return
    raise TimeoutError(f"process {pid} is still busy after {deadline:g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something happened, and what a process had cost by then; both in seconds."""

    at: float
    spent: float

    @classmethod
    def of(cls, pid: int) -> Moment:
        return cls(at=time.perf_counter(), spent=cpu(pid))


def run(*command: object) -> float:
    """
    Run a program to its end, and return the CPU seconds that it took.

    Raises:
        RuntimeError: It failed.
    """
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def spent(work) -> tuple[object, float]:
    """Return what a function returns, and the CPU seconds that it took in this process."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def in_turns(rounds: int, *functions) -> list[list[float]]:
    """
    Measure functions in turns, so that what else the machine does hits them alike.

    Returns:
        For each function the CPU seconds that it took in each round.
    """
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, measured in zip(functions, times, strict=True):
            measured.append(spent(function)[1])
    return times

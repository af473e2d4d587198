from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import NOTHING, restore, save, summary, tell
from disk import RecordingDisk

from penstock.errors import StateInUse
from penstock.store import Store

pytestmark = pytest.mark.slow
FIRST, SECOND, *_ = tell()
CALLS = ["open", "write", "fsync", "replace", "unlink", "mkdir"]


class Crash(BaseException):
    """The process is gone: nothing can catch it."""


class Interruption:
    """Ends the process at the n-th call that changes the disk."""

    def __init__(self, monkeypatch, calls_until):
        self.left = calls_until
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name, real):
        def call(*arguments, **settings):
            self.left -= 1
            if self.left < 0:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise Crash
            return real(*arguments, **settings)

        return call


@pytest.mark.parametrize(("before", "now"), [(None, FIRST), (FIRST, SECOND), (SECOND, FIRST)])
def test_a_save_that_is_cut_short_is_old_or_new(tmp_path, monkeypatch, before, now):
    """At whichever call the process ends, the state is the old or the new one, and sound."""
    old, new = summary(before) if before else NOTHING, summary(now)
    outcomes = []
    for calls in range(1000):
        directory = tmp_path / str(calls)
        if before:
            save(directory, before)
        try:
            with monkeypatch.context() as patch:
                Interruption(patch, calls)
                save(directory, now)
            break
        except Crash:
            pass
        close_all_below(directory)

        loaded, problems = restore(directory)

        assert () == problems
        assert loaded in (old, new)

        outcomes.append(loaded == new)
        save(directory, now)

        assert (new, ()) == restore(directory)
        assert not list(directory.rglob("*.new"))

    assert len(outcomes) > 15
    assert outcomes == sorted(outcomes)
    assert {False, True} == set(outcomes)


@pytest.mark.parametrize(("before", "now"), [(None, FIRST), (FIRST, SECOND)])
def test_a_power_failure_is_old_or_new(tmp_path, monkeypatch, before, now):
    """What was not synced may be on the disk or not: still the state is old or new, and sound."""
    directory = tmp_path / "state"
    old, new = summary(before) if before else NOTHING, summary(now)
    directory.mkdir()
    if before:
        save(directory, before)
    with monkeypatch.context() as patch:
        disk = RecordingDisk(patch, directory)
        save(directory, now)

    seen = set()
    for number, write_remains in enumerate(disk.remains()):
        remains = tmp_path / f"remains-{number}"
        write_remains(remains)

        loaded, problems = restore(remains)

        assert () == problems
        assert loaded in (old, new)

        seen.add(loaded == new)
        shutil.rmtree(remains)

    assert {False, True} == seen


def close_all_below(directory):
    """Close the files that the process left open, as its end would have."""
    for each in Path("/proc/self/fd").iterdir():
        try:
            target = each.readlink()
        except OSError:
            continue
        if target.is_relative_to(directory):
            os.close(int(each.name))


HOLDER = """
import sys
from pathlib import Path
from penstock.store import Store
Store.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused(tmp_path):
    """One directory is for one process; the other is told which, until that one ends."""
    directory = tmp_path / "state"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert "held\n" == holder.stdout.readline()

        with pytest.raises(StateInUse) as caught:
            Store.open(directory)

        assert (
            f"another control plane (process {holder.pid}) uses the state directory '{directory}'"
        ) == str(caught.value)

        holder.kill()
        holder.wait()

        store = Store.open(directory)

        assert "" == store.problem

        store.close()

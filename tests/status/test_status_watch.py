"""`penstock status --watch`, in a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from contextlib import suppress

import pytest
from support.processes import Process
from support.waiting import wait_until
from two_teams import TIME, TYPO, edit, status

pytestmark = pytest.mark.slow


def test_watching_follows_a_server(config, server, tmp_path):
    """Without a terminal there is one block for each change, and Ctrl-C ends it well."""
    command = [sys.executable, "-m", "penstock", "status", "--watch"]
    command += ["--server", f"127.0.0.1:{server.admin_port}"]
    with Process(command, tmp_path / "watch.log") as watching:
        wait_until(lambda: "No problems detected." in watching.tail(), "the first block")
        edit(server, config / "echo" / "routes.yaml", TYPO)
        wait_until(lambda: "1 proxy held" in watching.tail(), "the second block")

        assert 0 == watching.end(signal.SIGINT)

    blocks = watching.tail().split("--- ")[1:]
    assert 2 == len(blocks)
    assert all(re.match(rf"\d{{4}}-\d\d-\d\d {TIME}\npenstock ", block) for block in blocks)


def test_watching_for_programs(config, server, tmp_path):
    """As JSON there is one document a line for each change, the same that one look tells."""
    command = [sys.executable, "-m", "penstock", "status", "--watch", "-o", "json"]
    command += ["--server", f"127.0.0.1:{server.admin_port}"]
    with Process(command, tmp_path / "watch.log") as watching:
        wait_until(lambda: watching.log.read_text().count("\n") == 1, "the first document")
        edit(server, config / "echo" / "routes.yaml", TYPO)
        wait_until(lambda: watching.log.read_text().count("\n") == 2, "the second document")

        assert 0 == watching.end(signal.SIGINT)

    first, second = map(json.loads, watching.log.read_text().splitlines())
    now = json.loads(status(server, "-o", "json").output)
    for document in (second, now):
        del document["status"]["uptime_seconds"]
    assert (0, 1) == tuple(each["reports"]["summary"]["errors"] for each in (first, second))
    assert now == second


def test_watching_on_a_terminal(config, server, tmp_path):
    """On a terminal it is one picture that is written over, also while the server is away."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    command = [sys.executable, "-m", "penstock", "status", "--watch"]
    command += ["--server", f"127.0.0.1:{server.admin_port}"]
    written = bytearray()
    watching = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    os.set_blocking(leader, False)

    def seen(text, count=1):
        def look():
            with suppress(BlockingIOError, OSError):
                written.extend(os.read(leader, 65536))
            return written.count(text) >= count

        wait_until(look, f"{count} times {text}", deadline=20)

    try:
        seen(b"No problems detected.", 2)
        edit(server, config / "echo" / "routes.yaml", TYPO)
        seen(b"1 proxy held")
        server.kill()
        seen(b"Error: cannot reach")
        seen(b"this is what it said at")
        watching.send_signal(signal.SIGINT)
        seen(b"\x1b[?25h")

        assert 0 == watching.wait(10)
    finally:
        watching.kill()
        watching.wait()
        os.close(leader)
    pictures = written.split(b"\x1b[H")[1:]
    assert 1 == written.count(b"\x1b[2J")
    assert len(pictures) >= 4
    assert all(picture.count(b"\r\n") <= 23 for picture in pictures)
    assert all(b"\x1b[J" in picture for picture in pictures)

"""`penstock serve` as a process, with signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import Process
from support.waiting import wait_until

from xds.testing import FakeEnvoy
from xds.types import CLUSTER

ROOT = Path(__file__).parents[2]
ROUTES = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /}]
        directResponseAction: {status: 200}
"""

pytestmark = pytest.mark.slow


class Serving(Process):
    """`penstock serve`, with its log."""

    def __init__(self, folder, *options, ads="127.0.0.1:0", admin="127.0.0.1:0"):
        command = [sys.executable, "-m", "penstock", "serve", "config"]
        super().__init__(
            [*command, "--ads", ads, "--admin", admin, *options],
            folder / "log",
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def events(self):
        found = []
        for line in self.log.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def wait_for(self, name, count=1):
        """Wait until something was logged so many times, and return it the last time."""

        def found():
            events = [event for event in self.events() if event["event"] == name]
            return self.alive() and len(events) >= count and events[-1]

        return wait_until(found, f"{count} times {name}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.yaml").write_text(ROUTES)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(folder, number):
    """SIGTERM and Ctrl-C end the streams, then the program, and that is a success."""
    with Serving(folder) as serving:
        serving.wait_for("reload_finished")

        assert 0 == serving.end(number)
        assert [number.name] == [
            event["signal"] for event in serving.events() if event["event"] == "signal_received"
        ]
        assert "program_stopped" == serving.events()[-1]["event"]


def test_hangup_reads_again(folder):
    """SIGHUP reads everything at once, and says what became of it."""
    with Serving(folder) as serving:
        serving.wait_for("reload_finished")
        os.kill(serving.process.pid, signal.SIGHUP)

        assert "unchanged" == serving.wait_for("reload_finished", 2)["result"]
        assert 0 == serving.end()


def test_a_stream_is_sent_away(folder):
    """An Envoy learns from the server that it ends, and does not hold it up."""

    async def stay(port):
        async with FakeEnvoy(port) as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.expect(CLUSTER)
            serving.process.terminate()
            return await envoy.closed()

    with Serving(folder) as serving:
        serving.wait_for("reload_finished")
        port = next(event["port"] for event in serving.events() if event.get("server") == "ads")
        code, _ = asyncio.run(stay(port))

        assert "UNAVAILABLE" == code.name
        assert 0 == serving.process.wait(10)
        assert "stream_closed" in [event["event"] for event in serving.events()]


def test_a_second_signal_ends_it_at_once(folder):
    """Who asks twice does not wait for streams that take their time."""

    async def stay(port):
        async with FakeEnvoy(port) as one, FakeEnvoy(port, node="envoy-2") as two:
            for envoy in (one, two):
                await envoy.subscribe(CLUSTER)
                await envoy.expect(CLUSTER)
            started = time.monotonic()
            serving.process.terminate()
            await one.closed()
            serving.process.terminate()
            code = await asyncio.to_thread(serving.process.wait, 10)
            return code, time.monotonic() - started

    with Serving(folder, "--drain-seconds", "60") as serving:
        serving.wait_for("reload_finished")
        port = next(event["port"] for event in serving.events() if event.get("server") == "ads")
        code, seconds = asyncio.run(stay(port))

        assert 128 + signal.SIGTERM == code
        assert 10 > seconds


@pytest.mark.parametrize("option", ["ads", "admin"])
def test_a_taken_port_is_one_sentence(folder, option):
    """A port that is taken is told in one sentence with the option, and with its own exit code."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Serving(folder, **{option: address}) as serving:
            code = serving.process.wait(20)

    expected = f"Error: cannot listen on {address}: address already in use; see --{option}\n"
    assert (2, expected) == (code, serving.log.read_text())


def test_a_missing_folder_is_one_sentence(folder):
    """A folder that is not there at the start is told like by `check`."""
    (folder / "config" / "app.yaml").unlink()
    (folder / "config").rmdir()
    with Serving(folder) as serving:
        code = serving.process.wait(20)

    expected = "Error: no such file or folder: config\n"
    assert (2, expected) == (code, serving.log.read_text())

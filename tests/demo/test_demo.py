from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, Process, fetch, free_port, save, wait_until

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

PENSTOCK = [sys.executable, "-m", "penstock"]


@pytest.mark.parametrize(
    ("protocol", "ended_by"), [("delta", signal.SIGINT), ("sotw", signal.SIGTERM)]
)
def test_demo(tmp_path, protocol, ended_by):
    """The demo does what it prints, tells what an edit did, and leaves nothing behind."""
    config = Config(tmp_path / "config")
    with Process(demo(config.folder, "--protocol", protocol), tmp_path / "log", cwd=ROOT) as it:
        wait_for(it, "Ctrl-C ends everything")
        requests = re.findall(r"^ +curl (.*?) +# (.*)$", it.tail(), flags=re.MULTILINE)
        assert len(requests) == 4
        assert [answer for _, answer in requests] == [curl(command) for command, _ in requests]

        config.edit("foxtrot/routes.yaml", "version: v1", "version: v2")
        wait_for(it, "foxtrot/foxtrot-routes: /foxtrot now foxtrot v2\n")
        milliseconds = wait_for(it, r"accepted by Envoy (\d+) ms after the save")
        assert int(milliseconds) < 1000
        assert curl(f"http://127.0.0.1:{config.listener}/foxtrot") == "foxtrot v2"

        config.edit("echo/routes.yaml", "name: echo\n", "name: echo-typo\n")
        wait_for(it, "2 errors, 0 warnings in 5 files")
        check = subprocess.run(
            [*PENSTOCK, "check", config.folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        # The effects may differ: a check cannot know what was good before.
        assert said(check.stdout) <= said(it.tail())

        config.edit("echo/routes.yaml", "name: echo-typo\n", "name: echo\n")
        wait_for(it, "no finding is left")
        config.add_host_v3()
        config.edit("echo/routes.yaml", "version: v1", "version: v3")
        wait_for(it, "echo/echo-routes: /echo now echo v3\n")
        wait_until(
            lambda: curl(f"http://127.0.0.1:{config.listener}/echo") == "echo v3", "the new backend"
        )

        children = children_of(it.process.pid)
        code = it.end(ended_by)

    assert (0, True) == (code, bool(children))
    assert [] == [child for child in children if Path("/proc", child).exists()]
    assert it.tail().endswith("Everything has ended.\n")


def test_taken_port_is_named(tmp_path):
    """Who starts the demo beside something else learns which port is taken, and what to do."""
    config = Config(tmp_path / "config")
    with socket.create_server(("127.0.0.1", config.listener)):
        done = subprocess.run(
            demo(config.folder), cwd=ROOT, capture_output=True, text=True, check=False
        )

    assert done.returncode == 2
    assert f"Envoy cannot listen on 127.0.0.1:{config.listener}: " in done.stderr
    assert "change bindPort of the Gateway gloo-system/gateway-proxy" in done.stderr


class Config:
    """A copy of the shipped folder with free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener = free_port()
        for path in (ROOT / "config").rglob("*.yaml"):
            text = path.read_text().replace("8080", str(self.listener))
            text = re.sub(r"port: 9\d\d\d", lambda _: f"port: {free_port()}", text)
            save(folder / path.relative_to(ROOT / "config"), text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        save(self.folder / path, text.replace(old, new))

    def add_host_v3(self) -> None:
        host = f"{{addr: 127.0.0.1, port: {free_port()}, metadata: {{envoy.lb: {{version: v3}}}}}}"
        path = self.folder / "gateway" / "upstreams.yaml"
        save(path, path.read_text().replace("hosts:\n", f"hosts:\n      - {host}\n", 1))


def demo(config: Path, *options: str) -> list[str]:
    ports = [("--ads", free_port()), ("--admin", free_port()), ("--envoy-admin", free_port())]
    return [
        *(*PENSTOCK, "demo", "--config", str(config)),
        *(str(word) for option in ports for word in option),
        *options,
    ]


def wait_for(it: Process, pattern: str) -> str:
    """Wait until the demo says something, and return the first group of the expression."""
    found = wait_until(
        lambda: it.alive() and re.search(pattern, it.tail(10_000)), f"the words {pattern!r}", 30
    )
    return found[1] if found.groups() else ""


def said(text: str) -> set[str]:
    return {
        line
        for line in text.splitlines()
        if " = effect: " not in line and not line.startswith("Checking ")
    }


def curl(command: str) -> str:
    """Ask as a command of the demo says."""
    url, *options = shlex.split(command)
    port, _, path = url.removeprefix("http://127.0.0.1:").partition("/")
    headers = dict(header.split(": ") for header in options if header != "-H")
    return fetch(int(port), f"/{path}", headers).body


def children_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()

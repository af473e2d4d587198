"""A check of ours that is missing costs no more than the resource that it would have found."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from support import RealEnvoy, fetch, free_port, save, wait_until
from test_invalid import KEEP

from penstock.address import Address
from penstock.demo_backends import Backend
from penstock.serve import Options, running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

GATEWAY = """\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {{name: public, namespace: gloo-system}}
spec: {{bindAddress: 127.0.0.1, bindPort: {port}, httpGateway: {{}}}}
"""
APP = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes: [{matchers: [{prefix: /}], delegateAction: {selector: {namespaces: ['*']}}}]
"""
TABLE = """\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: routes, namespace: {team}}}
spec:
  routes: [{routes}]
"""
UPSTREAM = """\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: up, namespace: gloo-system}}
spec: {spec}
"""


def routes(team, *written):
    return TABLE.format(team=team, routes=", ".join(written))


def says(path, word, options="", kind="prefix"):
    return (
        f"{{name: own, matchers: [{{{kind}: {path}}}], "
        f"directResponseAction: {{status: 200, body: {word}}}{options}}}"
    )


TO_UP = (
    "{name: up, matchers: [{prefix: /up}], "
    "routeAction: {single: {upstream: {name: up, namespace: gloo-system}}}}"
)


@dataclass(frozen=True)
class Gap:
    name: str
    path: str
    text: str
    words: str
    """Some of Envoy's."""
    off: dict[str, object] = field(default_factory=dict)
    """Our checks that are switched off, by what they are put in the place of."""

    def __str__(self):
        return self.name


def header(name):
    return (
        ", options: {headerManipulation: {requestHeadersToAdd: "
        f"[{{header: {{key: '{name}', value: x}}}}]}}}}"
    )


GAPS = [
    Gap(
        "regex",
        "echo/routes",
        routes("echo", says("'/echo[a'", "new", kind="regex")),
        "missing ]",
        {"translator.lower.matchers.regex_complaint": lambda _: ""},
    ),
    Gap(
        "header name",
        "echo/routes",
        routes("echo", says("/echo", "new", header("host"))),
        ":-prefixed or host headers may not be modified",
        {"translator.lower.headers._check_name": lambda *_: None},
    ),
    Gap(
        "socket path",
        "gateway/up",
        UPSTREAM.format(spec="{pipe: {path: /" + "x" * 150 + "}}"),
        "exceeds maximum UNIX domain socket path size",
        {"translator.lower.upstreams._MAX_SOCKET_PATH": 1000},
    ),
    Gap("address that is taken", "gateway/public", "", "cannot bind"),
]
"""The last one is no check of ours: no control plane knows what else listens where Envoy is."""


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("gap", GAPS, ids=str)
def test_without_a_check(tmp_path, monkeypatch, gap, protocol):
    """What Envoy refuses stays as it was, and everybody else moves on."""
    for target, stand_in in gap.off.items():
        monkeypatch.setattr(target, stand_in)
    with Backend.bind(Address("127.0.0.1", 0), "up") as backend, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        asyncio.run(play(tmp_path, gap, protocol, backend, taken.getsockname()[1]))


async def play(folder: Path, gap: Gap, protocol, backend: Backend, taken: int) -> None:
    config, port = folder / "config", free_port()
    host = f"{{addr: 127.0.0.1, port: {backend.address.port}}}"
    for path, text in {
        "gateway/public": GATEWAY.format(port=port),
        "gateway/app": APP,
        "gateway/settings": KEEP,
        "gateway/up": UPSTREAM.format(spec=f"{{static: {{hosts: [{host}]}}}}"),
        "echo/routes": routes("echo", says("/echo", "old"), TO_UP),
        "foxtrot/routes": routes("foxtrot", says("/foxtrot", "old")),
    }.items():
        save(config / f"{path}.yaml", text)
    address = Address("127.0.0.1", 0)
    async with running(Options(config=config, ads=address, admin=address)) as program:

        def findings():
            return [
                found.diagnostic.message
                for found in program.controller.state.findings
                if found.diagnostic.code == "PEN501"
            ]

        def answers():
            return [fetch(port, path).body for path in ("/echo", "/up", "/foxtrot")]

        def story():
            with RealEnvoy(folder / "envoy", protocol, program.ads.port):
                wait_until(lambda: answers() == ["old", "up", "old"], "the first answers", 20)
                text = gap.text or GATEWAY.format(port=taken)
                if gap.path == "echo/routes":
                    text = text.replace("routes: [", f"routes: [{TO_UP}, ")
                save(config / f"{gap.path}.yaml", text)
                save(config / "foxtrot/routes.yaml", routes("foxtrot", says("/foxtrot", "new")))
                wait_until(findings, "the finding", 20)
                wait_until(lambda: answers() == ["old", "up", "new"], "what goes on", 20)

                assert 1 == len(findings())
                assert gap.words in findings()[0]

        await asyncio.to_thread(story)

"""`penstock status`, asked of a real server in a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner
from support.control_plane import ControlPlane
from support.files import save
from support.processes import free_port
from support.waiting import wait_until
from two_teams import (
    SETTINGS,
    TABLE,
    TIME,
    TYPO,
    edit,
    last,
    metrics,
    routes_metric,
    status,
    wait_for,
)

from penstock.cli import program
from penstock.overview import Client, as_text, is_healthy
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, ROUTE_CONFIGURATION

pytestmark = pytest.mark.slow


def test_a_hold_from_its_beginning_to_its_end(config, server):
    """Who is held, since when, because of whom and who waits is told until it is over."""
    healthy = status(server)
    edit(server, config / "echo" / "routes.yaml", TYPO)
    edit(server, config / "foxtrot" / "routes.yaml", TABLE.format(team="foxtrot", status=201))
    held = status(server)
    since = re.search(rf"held since ({TIME})", held.output)[1]
    proxy = json.loads(status(server, "-o", "json").output)["status"]["proxies"][0]
    gauges = metrics(server)
    edit(server, config / "echo" / "routes.yaml", TABLE.format(team="echo", status=202))
    released = status(server)

    hold = "proxy gateway-proxy is held at its last good routes"
    assert (0, 1, 0) == (healthy.exit_code, held.exit_code, released.exit_code)
    assert (
        f"""
  routes: 1 served, 1 held
  held since {since} at its last good routes
    because of PEN201 in RouteTable echo/routes ({config}/echo/routes.yaml:6:19)
    waiting: RouteTable foxtrot/routes

{config}/echo/routes.yaml:6:19: error[PEN201]: unknown field 'prefx'
    6 |     - matchers: [{{prefx: /echo}}]
      |                   ^^^^^ did you mean 'prefix'?
      = effect: {hold} since {since}; foxtrot/routes waits
      = note: delegated from VirtualService gloo-system/app ({config}/gateway/app.yaml:9:25)
"""
        in held.output
    )
    assert "1 proxy held, no Envoy connected. 1 error, 0 warnings in 3 files" == last(held)
    assert "held" not in released.output
    assert "no Envoy connected. No problems detected." == last(released)

    assert proxy["held"]
    assert f"T{since[:-1]}." in proxy["held_since"]
    assert ["PEN201"] == [found["code"] for found in proxy["held_because"]]
    assert [{"kind": "RouteTable", "namespace": "foxtrot", "name": "routes"}] == proxy["waiting"]
    assert {
        "penstock_held_proxies 1.0",
        'penstock_proxy_held{proxy="gateway-proxy"} 1.0',
        routes_metric("served", 1),
        routes_metric("held", 1),
    } <= gauges
    assert {"penstock_held_proxies 0.0", routes_metric("held", 0)} <= metrics(server)

    (begin,), (end,) = server.events("proxy_held"), server.events("proxy_released")
    assert [f"PEN201 RouteTable echo/routes at {config}/echo/routes.yaml:6:19"] == begin["because"]
    assert "gateway-proxy" == begin["proxy"] == end["proxy"]
    assert ["PEN201"] == [event["code"] for event in server.events("finding_reported")]
    assert ["PEN201"] == [event["code"] for event in server.events("finding_resolved")]


@pytest.mark.parametrize(
    ("policy", "outcome", "line"),
    [
        ("replaceInvalidRoutes", "replaced", "  replaced: {route} answers 404"),
        ("keepLastGoodRoutes", "kept", "  kept: {route} answers its last good version"),
    ],
)
def test_routes_that_are_not_served_as_written(config, server, policy, outcome, line):
    """A route that is replaced or kept is told with its owner and what answers; nobody waits."""
    edit(server, config / "gateway" / "settings.yaml", SETTINGS.replace("POLICY", policy))
    edit(
        server,
        config / "echo" / "routes.yaml",
        TYPO.replace("{prefx: /echo}", "{prefix: /echo}").replace("status: 200", "status: 99"),
    )

    result = status(server)

    assert 1 == result.exit_code
    assert line.format(route="RouteTable echo/routes (route '#0')") in result.output.splitlines()
    assert f"  routes: 1 served, 1 {outcome}" in result.output.splitlines()
    assert "held" not in result.output
    assert "no Envoy connected. 1 error, 0 warnings in 4 files" == last(result)
    assert {routes_metric(outcome, 1), "penstock_held_proxies 0.0"} <= metrics(server)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_what_an_envoy_refuses(server, protocol):
    """What has no verdict is stale; a refusal is told with Envoy's words and whose fault it is."""

    async def main():
        async with FakeEnvoy(server.ads_port, protocol=protocol, node="edge-1") as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.ack(await envoy.expect(CLUSTER))
            await envoy.subscribe(ROUTE_CONFIGURATION, "listener-::-8080-routes")
            response = await envoy.expect(ROUTE_CONFIGURATION)
            stale = await asyncio.to_thread(status, server)
            refusing = asyncio.create_task(refuse_all(envoy, response))
            shown = await asyncio.to_thread(
                wait_until,
                lambda: "PEN501" in (result := status(server)).output and result,
                "the finding",
                deadline=60,
            )
            refusing.cancel()
            return stale, shown

    async def refuse_all(envoy, response):
        while True:
            await envoy.nack(response, "I do not like \x1b[31mit")
            response = await envoy.expect(ROUTE_CONFIGURATION, seconds=60)

    stale, refused = asyncio.run(main())

    assert (1, 1) == (stale.exit_code, refused.exit_code)
    assert "1 Envoy stale. No problems detected." == last(stale)
    for pattern in (
        rf"gateway-proxy  STALE  version \w{{16}}  since {TIME}  1 Envoy",
        rf"  Envoy edge-1  STALE  fake, {protocol}, from \S+",
        rf"    Cluster +SYNCED    since {TIME}  version \w+",
        rf"    RouteConfiguration +STALE     since {TIME}  sent \w+, accepted nothing",
    ):
        assert re.search(f"^{pattern}$", stale.output, flags=re.MULTILINE), stale.output
    words = r"\S+:\d+:\d+: error\[PEN501\]: fake refuses .*: I do not like \\x1b\[31mit"
    assert re.search(f"^{words}$", refused.output, flags=re.MULTILINE), refused.output


def test_an_envoy_that_has_accepted_everything(server):
    """Nothing is wrong, and the exit code says so."""

    async def main():
        async with FakeEnvoy(server.ads_port) as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.ack(await envoy.expect(CLUSTER))
            await envoy.subscribe(CLUSTER)
            return await asyncio.to_thread(
                wait_until,
                lambda: (result := status(server)).exit_code == 0 and result,
                "the acceptance",
            )

    assert "1 Envoy synced. No problems detected." == last(asyncio.run(main()))


def test_an_envoy_of_a_proxy_that_does_not_exist(server):
    """An Envoy that waits for a proxy that nobody defines is told, and is a problem."""

    async def main():
        async with FakeEnvoy(server.ads_port, metadata={"role": "ns~typo"}) as envoy:
            await envoy.subscribe(CLUSTER)
            wait_for(server, "stream_opened")
            return await asyncio.to_thread(status, server)

    result = asyncio.run(main())

    assert 1 == result.exit_code
    assert "typo  UNKNOWN  there is no such proxy  1 Envoy" in result.output.splitlines()
    assert "1 Envoy unserved. No problems detected." == last(result)


@pytest.mark.parametrize(
    "text",
    [
        TYPO,
        TYPO.replace("200", "200, body: 'échö 世界 👍'"),
        TYPO.replace("{prefx: /echo}", "{'\\e[31m': /echo}"),
        "kind: [\n",
        "",
    ],
)
def test_the_findings_are_those_of_check(config, tmp_path, text):
    """At the first start a server finds what `check` finds, and shows it in the same words."""
    save(config / "echo" / "routes.yaml", text)
    checked = CliRunner().invoke(program, ["check", str(config)]).output
    with ControlPlane(config, tmp_path) as server:
        wait_for(server, "reload_finished")
        shown = status(server).output

    findings, _, totals = checked.partition("\n\n")[2].rstrip("\n").rpartition("\n")
    assert findings
    assert findings in shown
    assert shown.endswith(f". {totals}\n")


def test_a_lost_source_is_told(config, server):
    """A folder that went away is not forgotten behind what is still served."""
    config.rename(config.with_name("elsewhere"))
    wait_for(server, "source_lost")

    result = status(server)

    assert 1 == result.exit_code
    assert re.search(
        rf"^source lost since {TIME}: no such file or folder: {re.escape(str(config))}$",
        result.output,
        flags=re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("trouble", "line"),
    [
        (
            {"state": {"directory": "s", "writable": False, "reason": "s: disk full"}},
            "what is served is not kept for a restart: s: disk full",
        ),
        ({"ready": False}, "not ready: nobody is served"),
        (
            {
                "tls": {
                    "usable": False,
                    "reason": "tls.crt expired",
                    "since": "2026-01-02T03:04:05.000Z",
                }
            },
            "TLS files broken since 2026-01-02 03:04:05Z: tls.crt expired",
        ),
        ({}, ""),
    ],
)
def test_trouble_of_the_program_itself(server, trouble, line):
    """What is wrong with the server is told before what is wrong with what it serves."""
    found = Client(f"127.0.0.1:{server.admin_port}").look()
    troubled = replace(found, status={**found.status, **trouble})

    assert bool(trouble) != is_healthy(troubled)
    assert line == list(as_text(troubled, colour=False))[1]


def test_identity_of_an_envoy(server):
    """An Envoy that proved who it is stands there with its name."""
    found = Client(f"127.0.0.1:{server.admin_port}").look()
    proxy = dict(found.status["proxies"][0])
    envoy = {
        "node": "edge-1",
        "agent": "envoy 1.40.0",
        "peer": "ipv4:10.0.0.1:1",
        "protocol": "delta",
        "identity": "spiffe://trust/\x1b[1medge",
        "served": True,
        "types": {},
    }
    status = {**found.status, "proxies": [{**proxy, "envoys": [envoy]}]}

    lines = list(as_text(replace(found, status=status), colour=False))

    assert any("from ipv4:10.0.0.1:1, as spiffe://trust/" in line for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_nobody_there():
    """Without a server there is one sentence with the option, and an exit code of its own."""
    url = f"http://127.0.0.1:{free_port()}"

    result = CliRunner().invoke(program, ["status"], env={"PENSTOCK_SERVER": url})

    assert 2 == result.exit_code
    assert (
        f"Error: cannot reach a Penstock server at {url}: connection refused; "
        "start one with 'penstock serve', or say where it is with --server\n"
    ) == result.output


@contextmanager
def stranger(code, body):
    """Some other server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("code", "body", "reason"),
    [
        (404, b"", "answers 404"),
        (200, b"<html>", "is not JSON"),
        (200, b"[]", "has no 'proxies'"),
        (200, b"{}", "has no 'proxies'"),
    ],
)
def test_somebody_else_there(code, body, reason):
    """A server that is not Penstock's is told from one that is away."""
    with stranger(code, body) as url:
        result = CliRunner().invoke(program, ["status", "--server", url])

    assert 2 == result.exit_code
    assert (
        f"Error: {url} is not the admin address of a Penstock server: /api/v1/status {reason}; "
        "say where it is with --server\n"
    ) == result.output


@pytest.mark.parametrize("url", ["ftp://host:1", "http://", "http://host:port", ""])
def test_what_is_no_url(url):
    """A mistyped option is a mistake in the call, told with its name."""
    result = CliRunner().invoke(program, ["status", "--server", url])

    assert 2 == result.exit_code
    assert "Invalid value for '--server'" in result.output

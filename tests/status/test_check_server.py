"""`penstock check --server`: what a running server has found."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from click.testing import CliRunner
from two_teams import TYPO, edit, wait_for

from penstock.cli import program
from xds.testing import FakeEnvoy
from xds.types import ROUTE_CONFIGURATION

pytestmark = pytest.mark.slow


def check(server, *options):
    address = f"127.0.0.1:{server.admin_port}"
    return CliRunner().invoke(program, ["check", "--server", address, *options])


def test_check_asks_a_server(config, server):
    """What a server has found is told like what is found in a folder, in every format."""
    clean = check(server)
    edit(server, config / "echo" / "routes.yaml", TYPO)
    local, asked = CliRunner().invoke(program, ["check", str(config)]), check(server)
    formats = {
        form: (
            CliRunner().invoke(program, ["check", str(config), "--format", form]),
            check(server, "--format", form),
        )
        for form in ("github", "sarif")
    }
    document = json.loads(check(server, "--format", "json").output)

    assert (0, 1) == (clean.exit_code, asked.exit_code)
    assert "No problems detected." in clean.output
    held = re.compile(r"proxy gateway-proxy is held at its last good routes.*")
    start = local.output.index(str(config))
    assert held.sub("", asked.output).splitlines()[:3] == local.output[start:].splitlines()[:3]
    assert "= effect: proxy gateway-proxy is held at its last good routes since" in asked.output
    assert 1 == document["summary"]["errors"]
    for here, there in formats.values():
        assert here.exit_code == there.exit_code == 1
        assert document["findings"][0]["code"] in there.output


def test_check_asks_a_server_that_envoy_refused(config, server):
    """It knows what no folder can tell: what Envoy refuses, at its place, in Envoy's words."""

    async def main():
        async with FakeEnvoy(server.ads_port, node="edge-1") as envoy:
            await envoy.subscribe(ROUTE_CONFIGURATION, "listener-::-8080-routes")
            for _ in range(3):  # both routes, then each of them
                await envoy.nack(await envoy.expect(ROUTE_CONFIGURATION), "not like that")
            await asyncio.to_thread(wait_for, server, "update_traced")

    asyncio.run(main())
    wait_for(server, "reload_finished", 2)
    answer = check(server)

    assert 1 == answer.exit_code
    assert "PEN501" in answer.output
    assert "fake refuses this route: not like that" in answer.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["config", "--server", "127.0.0.1:1"], "give CONFIG or --server, not both"),
        (["--server", "ftp://x"], "is not the URL of a server"),
        (["--server", "127.0.0.1:1"], "cannot reach a Penstock server"),
    ],
)
def test_check_of_a_server_that_cannot_be_asked(arguments, words):
    """Who cannot be asked was not checked."""
    result = CliRunner().invoke(program, ["check", *arguments])

    assert 2 == result.exit_code
    assert words in result.output

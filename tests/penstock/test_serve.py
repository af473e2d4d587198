"""The whole program in one event loop, with clients that speak the real protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import urllib.error
import urllib.request
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import grpc
import pytest

from penstock import version
from penstock.address import Address
from penstock.errors import ListenError, SourceMissing
from penstock.events import (
    ProxyConverged,
    ProxyPublished,
    ReloadFinished,
    SourceLost,
    UpdateAccepted,
    UpdateRejected,
    UpdateTraced,
)
from penstock.serve import DEFAULT_PROXY, Options, proxy_of, running
from xds.discovery import Node
from xds.limits import Limits
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, ROUTE_CONFIGURATION

ANY = Address("127.0.0.1", 0)
PROTOCOLS = pytest.mark.parametrize("protocol", ["sotw", "delta"])


def virtual_service(body="hello", more=""):
    return f"""\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: app, namespace: gloo-system}}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{{prefix: /}}]
        directResponseAction: {{status: 200, body: {body}}}{more}
"""


@pytest.fixture
def config(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "app.yaml").write_text(virtual_service())
    return config


@asynccontextmanager
async def serving(config, **options):
    settings = {"ads": ANY, "admin": ANY} | options
    async with running(Options(config=config, **settings)) as program:
        with program.events() as events:
            yield program, events


async def until(events, kind):
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the events ended without {kind}")


async def get(program, path):
    """Ask the admin server, and return status, headers and text."""

    def ask():
        try:
            with urllib.request.urlopen(f"http://{program.admin}{path}", timeout=5) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    return await asyncio.to_thread(ask)


async def get_json(program, path):
    return json.loads((await get(program, path))[2])


@pytest.fixture
def route_name(config):
    """The name of the only route configuration."""
    from translator.pipeline import Inputs, translate

    inputs = Inputs(files={"app.yaml": (config / "app.yaml").read_bytes()})
    return translate(inputs).proxies[0].route_configurations[0].name


async def connect(envoy, route_name):
    """Ask for what an Envoy asks for, and accept it."""
    for type_url, names in ((CLUSTER, ()), (LISTENER, ()), (ROUTE_CONFIGURATION, (route_name,))):
        await envoy.subscribe(type_url, *names)
        await envoy.ack(await envoy.expect(type_url))


@pytest.mark.slow
@PROTOCOLS
def test_an_edit_reaches_an_envoy(config, route_name, protocol):
    """What is in the folder is served, an edit is pushed, and its acceptance is noticed."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            async with FakeEnvoy(program.ads.port, protocol=protocol) as envoy:
                await connect(envoy, route_name)
                (config / "app.yaml").write_text(virtual_service("goodbye"))
                response = await envoy.expect(ROUTE_CONFIGURATION)

                assert b"goodbye" in response.resources[route_name]
                assert response.control_plane.startswith("penstock/")

                await envoy.ack(response)
                published = await until(events, ProxyPublished)
                converged = await until(events, ProxyConverged)

                assert published.publication == converged.publication
                assert 1 == converged.envoys
                assert 1.0 > converged.seconds > 0.0

    asyncio.run(main())


@pytest.mark.slow
def test_nobody_is_served_before_the_first_translation(tmp_path):
    """An Envoy that comes too early is sent away, not told to forget everything."""
    config = tmp_path / "config"
    config.mkdir()

    async def main():
        async with serving(config) as (program, _):
            async with FakeEnvoy(program.ads.port) as envoy:
                with suppress(grpc.aio.AioRpcError):  # it may be sent away before it has asked
                    await envoy.subscribe(CLUSTER)
                code, _ = await envoy.closed()

                assert "UNAVAILABLE" == code.name

            status, _, text = await get(program, "/readyz")

            assert 503 == status
            assert f"not ready: no resources found in {config}" in text

            (config / "app.yaml").write_text(virtual_service())
            with program.events() as events:
                await until(events, ReloadFinished)

            assert (200, "ok\n") == (await get(program, "/readyz"))[::2]

    asyncio.run(main())


@pytest.mark.slow
def test_an_outage_takes_nothing_away(config, route_name):
    """When the folder vanishes every Envoy keeps what it has, new ones get it too."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            shutil.rmtree(config)
            await until(events, SourceLost)
            async with FakeEnvoy(program.ads.port) as envoy:
                await connect(envoy, route_name)

            assert 200 == (await get(program, "/readyz"))[0]

            source = (await get_json(program, "/api/v1/status"))["source"]

            assert not source["readable"]
            assert f"no such file or folder: {config}" == source["reason"]
            assert "penstock_source_up 0.0" in (await get(program, "/metrics"))[2]

    asyncio.run(main())


@pytest.mark.slow
@PROTOCOLS
def test_status_shows_what_an_envoy_made_of_it(config, route_name, protocol):
    """For each Envoy and type it is told what it has, since when, and why it refused the rest."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            async with FakeEnvoy(program.ads.port, protocol=protocol, node="edge-1") as envoy:
                await connect(envoy, route_name)
                accepted = await until(events, UpdateAccepted)
                while accepted.type_url != ROUTE_CONFIGURATION:
                    accepted = await until(events, UpdateAccepted)
                status = await get_json(program, "/api/v1/status")
                (proxy,) = status["proxies"]
                (edge,) = proxy["envoys"]
                routes = edge["types"][ROUTE_CONFIGURATION]

                assert status["ready"]
                assert ("gateway-proxy", "edge-1", protocol) == (
                    proxy["name"],
                    edge["node"],
                    edge["protocol"],
                )
                assert "SYNCED" == routes["standing"]
                assert routes["sent"] == routes["accepted"] != ""
                assert routes["since"].endswith("Z")
                assert routes["rejection"] is None

                (config / "app.yaml").write_text(virtual_service("goodbye"))
                await envoy.nack(await envoy.expect(ROUTE_CONFIGURATION), "I do not like it")
                rejected = await until(events, UpdateRejected)

                assert "I do not like it" == rejected.text

                while not (reports := await get_json(program, "/api/v1/reports"))["findings"]:
                    await until(events, ReloadFinished)
                (finding,) = reports["findings"]

                assert "PEN501" == finding["code"]
                assert "fake refuses this route: I do not like it" == finding["message"]
                assert finding["path"].endswith("app.yaml")
                assert reports["proxies"][0]["held"]

    asyncio.run(main())


@pytest.mark.slow
def test_an_envoy_of_an_unknown_proxy_is_seen(config):
    """An Envoy whose proxy does not exist waits, and the status says that it does."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            metadata = {"role": "gloo-system~typo"}
            async with FakeEnvoy(program.ads.port, metadata=metadata) as envoy:
                await envoy.subscribe(CLUSTER)
                await envoy.expect_silence()
                status = await get_json(program, "/api/v1/status")
                (typo,) = [each for each in status["proxies"] if each["name"] == "typo"]

                assert typo["version"] is None
                assert [False] == [each["served"] for each in typo["envoys"]]

    asyncio.run(main())


@pytest.mark.slow
def test_reports_have_findings_and_victims(config):
    """The reports are those of `check`, with the time since when each is true."""
    broken = virtual_service(more="\n      - matchers: [{prefx: /typo}]")
    (config / "app.yaml").write_text(broken)

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            reports = await get_json(program, "/api/v1/reports")
            (first, *_) = reports["findings"]

            assert "PEN201" == first["code"]
            assert f"{config}/app.yaml" == first["path"]
            assert (10, "unknown field 'prefx'") == (first["line"], first["message"])
            assert first["since"].endswith("Z")
            assert reports["summary"]["errors"] == len(reports["findings"])

    asyncio.run(main())


@pytest.mark.slow
def test_the_snapshot_can_be_read(config, route_name):
    """What a proxy is served can be seen without the proxy."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            document = await get_json(program, "/api/v1/snapshot/gateway-proxy")
            version = program.controller.state.proxies["gateway-proxy"].snapshot.version_info

            assert version == document["version"]

            routes = document["resources"][ROUTE_CONFIGURATION][route_name]["resource"]

            assert "hello" in json.dumps(routes)

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/v1/snapshot/typo", 404, "there is no proxy 'typo'"),
        (
            "/api/v1/snapshot/gateway-proxy?for=grpc",
            404,
            "proxy 'gateway-proxy' never had a gRPC client",
        ),
        (
            "/api/v1/snapshot/gateway-proxy?for=typo",
            400,
            "'for' is 'envoy' or 'grpc', not 'typo'",
        ),
        ("/api/v2/status", 404, "there is no /api/v2/status here"),
        ("/", 404, "there is no / here"),
    ],
)
def test_what_does_not_exist_is_told_in_json(config, path, status, error):
    """A program that asks for something that is not there gets an answer that it can read."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            found, headers, text = await get(program, path)

            assert (status, "application/json") == (found, headers["content-type"])
            assert {"error": error} == json.loads(text)

    asyncio.run(main())


@pytest.mark.slow
def test_metrics_count_what_happened(config, route_name):
    """The metrics tell reloads, findings, streams, answers and how long a change took."""

    async def main():
        async with serving(config) as (program, events):
            await until(events, ReloadFinished)
            async with FakeEnvoy(program.ads.port) as envoy:
                await connect(envoy, route_name)
                (config / "app.yaml").write_text(virtual_service("goodbye"))
                await envoy.ack(await envoy.expect(ROUTE_CONFIGURATION))
                await until(events, ProxyConverged)
                (config / "app.yaml").write_text(virtual_service("again"))
                await envoy.nack(await envoy.expect(ROUTE_CONFIGURATION), "no")
                await until(events, UpdateTraced)
                await until(events, ReloadFinished)
                _, headers, text = await get(program, "/metrics")

        kind = 'type="envoy.config.route.v3.RouteConfiguration"'
        lines = set(text.splitlines())
        assert "text/plain" in headers["content-type"]
        assert {
            'penstock_reload_total{result="published"} 4.0',
            'penstock_quarantined{namespace="gloo-system"} 1.0',
            "penstock_propagation_seconds_count 1.0",
            'penstock_proxies_connected{proxy="gateway-proxy"} 1.0',
            'penstock_xds_streams{protocol="sotw"} 1.0',
            f"penstock_acks_total{{{kind}}} 2.0",
            f"penstock_nacks_total{{{kind}}} 1.0",
            f"penstock_xds_responses_total{{{kind}}} 3.0",
            f'penstock_xds_requests_total{{kind="nack",{kind}}} 1.0',
        } <= lines

    asyncio.run(main())


@pytest.mark.slow
def test_rule_16_the_instance_is_told(config):
    """An Envoy learns which version and which of several processes it is served by."""

    async def main(**options):
        async with serving(config, **options) as (program, events):
            await until(events, ReloadFinished)
            async with FakeEnvoy(program.ads.port) as envoy:
                await envoy.subscribe(CLUSTER)
                return (await envoy.expect(CLUSTER)).control_plane

    assert f"penstock/{version()} replica-1" == asyncio.run(main(instance="replica-1"))
    assert f"penstock/{version()} {socket.gethostname()}" == asyncio.run(main())


@pytest.mark.slow
def test_limits_are_kept_and_seen(config):
    """Who is one too many is refused and counted; the status tells who is there, and since when."""

    async def main():
        async with serving(config, limits=Limits(streams=1)) as (program, events):
            await until(events, ReloadFinished)
            async with FakeEnvoy(program.ads.port, only=CLUSTER, cluster="edge") as envoy:
                await envoy.subscribe(CLUSTER)
                await envoy.expect(CLUSTER)
                async with FakeEnvoy(program.ads.port) as another:
                    code, _ = await another.closed()
                status = await get_json(program, "/api/v1/status")
                _, _, text = await get(program, "/metrics")
                return code, status, text

    code, status, text = asyncio.run(main())
    [envoy] = status["proxies"][0]["envoys"]
    assert "RESOURCE_EXHAUSTED" == code.name
    assert 'penstock_xds_streams_refused_total{code="RESOURCE_EXHAUSTED"} 1.0' in text
    assert ("envoy-1", "edge", "fake", CLUSTER) == (
        envoy["node"],
        envoy["cluster"],
        envoy["agent"],
        envoy["carries"],
    )
    assert envoy["connected"].endswith("Z")
    assert envoy["not_reading_since"] is None


@pytest.mark.slow
def test_the_end_sends_everybody_away(config):
    """When the context ends the streams do too, with a status that makes an Envoy come back."""

    async def main():
        async with AsyncExitStack() as stack:
            async with serving(config) as (program, events):
                await until(events, ReloadFinished)
                envoy = await stack.enter_async_context(FakeEnvoy(program.ads.port))
                await envoy.subscribe(CLUSTER)
                await envoy.expect(CLUSTER)
            code, _ = await envoy.closed()

            assert "UNAVAILABLE" == code.name

        for address in (program.ads, program.admin):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address.host, address.port))

    asyncio.run(main())


def test_what_goes_wrong_inside_comes_out_as_it_is(config):
    """Whoever embeds the program gets its own exceptions, not groups of them."""

    async def main():
        async with serving(config):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(main())


def test_a_missing_folder_is_an_error(tmp_path):
    """Nothing is bound, and nobody served, for a folder that does not exist."""

    async def main():
        async with serving(tmp_path / "typo"):
            pass

    with pytest.raises(SourceMissing):
        asyncio.run(main())


@pytest.mark.parametrize("option", ["ads", "admin"])
def test_a_taken_port_is_an_error(config, option):
    """A port that somebody else has is an error that names the option."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = Address("127.0.0.1", taken.getsockname()[1])
            async with serving(config, **{option: address}):
                pass

    with pytest.raises(ListenError, match=f"already in use; see --{option}"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("role", "cluster", "expected"),
    [
        ("gloo-system~edge", "", "edge"),
        ("gloo-system~edge", "known", "edge"),
        ("ns~with~tilde", "", "with~tilde"),
        (None, "known", "known"),
        ("", "known", "known"),
        ("no-tilde", "known", "known"),
        ("empty~", "known", "known"),
        (3.0, "known", "known"),
        (None, "unknown", DEFAULT_PROXY),
        (None, "", DEFAULT_PROXY),
    ],
)
def test_which_proxy_an_envoy_is(role, cluster, expected):
    """The role decides, else the cluster if it is a proxy's name, else it is the default one."""
    node = Node(
        id="x",
        cluster=cluster,
        metadata={} if role is None else {"role": role},
        user_agent="envoy",
        version="",
    )

    assert expected == proxy_of(node, {"known": ()})

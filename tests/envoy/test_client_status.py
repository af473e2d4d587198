"""What a real Envoy made of what it was sent, as CSDS tells it."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from support import wait_until

from penstock.serve import DEFAULT_PROXY
from penstock.sources import FolderReader
from translator.emit import emit
from translator.pipeline import translate
from xds import messages
from xds.cache import SnapshotCache
from xds.server import AdsServer
from xds.snapshot import Resource
from xds.types import ROUTE_CONFIGURATION

pytestmark = [pytest.mark.envoy, pytest.mark.slow]


def ask(port):
    """Return what is told of the only client, by type and name."""
    request = messages.build(
        "envoy.service.status.v3.ClientStatusRequest",
        node_matchers=[{"node_id": {"exact": "test"}}],
    )
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        fetch = channel.unary_unary(
            "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"
        )
        answer = fetch(messages.encode(request), timeout=10)
    parsed = messages.parse("envoy.service.status.v3.ClientStatusResponse", answer)
    return {
        f"{each['type_url']} {each['name']}": each
        for config in parsed.config
        for each in messages.to_dict(config).get("generic_xds_configs", ())
    }


def states(found):
    return {(each["config_status"], each["client_status"]) for each in found.values()}


def broken(snapshot):
    """Return a snapshot with a regular expression that Envoy cannot compile."""
    (routes,) = snapshot.resources(ROUTE_CONFIGURATION).values()
    message = messages.parse("envoy.config.route.v3.RouteConfiguration", routes.body)
    route = message.virtual_hosts[0].routes.add()
    route.match.safe_regex.regex = "["
    route.direct_response.status = 200
    bad = Resource.of(
        ROUTE_CONFIGURATION, routes.name, messages.encode(message), requires=routes.requires
    )
    return bad, snapshot.replace(ROUTE_CONFIGURATION, [bad])


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_rule_95_what_envoy_has_and_refuses(stage, protocol):
    """What Envoy says it has is what CSDS says; a refusal is told in Envoy's words."""
    stage.save_shipped()
    (proxy,) = translate(FolderReader(stage.config).read().inputs).proxies
    good = emit(proxy)
    bad, worse = broken(good)

    async def main():
        cache = SnapshotCache()
        cache.set(DEFAULT_PROXY, good)
        cache.mark_synced()
        server = AdsServer(cache, proxy_of=lambda _: DEFAULT_PROXY, identifier="test")
        port = await server.start("127.0.0.1:0")

        def envoy_accepts():
            wait_until(
                lambda: (
                    len(found := ask(port)) == sum(len(good.resources(t)) for t in good.types())
                    and states(found) == {("SYNCED", "ACKED")}
                ),
                "the acceptance",
                deadline=20,
            )
            return ask(port), envoy.versions()

        def envoy_refuses():
            wait_until(lambda: ("ERROR", "NACKED") in states(ask(port)), "the refusal", deadline=20)
            return ask(port), envoy.versions()

        envoy = stage.envoy(protocol, port)
        try:
            await asyncio.to_thread(envoy.start)
            accepted = await asyncio.to_thread(envoy_accepts)
            cache.set(DEFAULT_PROXY, worse)
            return accepted, await asyncio.to_thread(envoy_refuses)
        finally:
            envoy.kill()
            await server.drain(0)

    (accepted, versions), (refused, still) = asyncio.run(main())

    told = {key: each["version_info"] for key, each in accepted.items()}
    if protocol == "delta":  # there a version is that of the resource, not of the response
        assert versions.items() <= told.items()
    assert versions.keys() <= told.keys()
    assert versions == still

    routes = refused.pop(f"{ROUTE_CONFIGURATION} {bad.name}")
    assert ("ERROR", "NACKED") == (routes["config_status"], routes["client_status"])
    assert "missing ]: [" in routes["error_state"]["details"]
    assert bad.version == routes["error_state"]["version_info"]
    assert good.get(ROUTE_CONFIGURATION, bad.name).version == routes["version_info"]
    assert {("SYNCED", "ACKED")} == states(refused)

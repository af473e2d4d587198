"""What one client may cost, and all of them together, over real gRPC on loopback."""

import asyncio
import time

import grpc
from serving import Serving, asynchronous, errors, large, protocols, slow, snapshot, until

from xds.limits import Limits
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, ROUTE_CONFIGURATION


@slow
@protocols
@asynchronous
async def test_rule_112_slow_client_skips(protocol):
    """A client that does not read gets the newest snapshot, not all of them."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        response = await envoy.expect(ROUTE_CONFIGURATION)
        for weight in range(2, 50):
            serving.cache.set("p", snapshot("a", weight=weight))
            await asyncio.sleep(0)
        await envoy.ack(response)
        newest = await envoy.expect(ROUTE_CONFIGURATION)
        await envoy.ack(newest)
        await envoy.expect_silence()

    assert snapshot("a", weight=49).get(ROUTE_CONFIGURATION, "r").body == newest.resources["r"]


@slow
@protocols
@asynchronous
async def test_rule_117_large_request(protocol):
    """A request may be larger than the 4 MiB that gRPC allows by default."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(ROUTE_CONFIGURATION, "r", "x" * 5 * 1024 * 1024)
        routes = await envoy.expect(ROUTE_CONFIGURATION)

    assert ["r"] == list(routes.resources)


@slow
@protocols
@asynchronous
async def test_rule_123_drain(protocol):
    """On shutdown every stream is told that the server is unavailable, and no new one begins."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(CLUSTER)
        await envoy.expect(CLUSTER)

        began = time.monotonic()
        await serving.server.drain(0.2)
        code, details = await envoy.closed()

    assert grpc.StatusCode.UNAVAILABLE == code
    assert "shutting down" in details
    assert time.monotonic() - began < 2


@slow
@asynchronous
async def test_rule_114_client_that_does_not_read(caplog):
    """A client that does not read loses its connection, is told so, and holds up nobody."""
    limits = Limits(write_seconds=0.2, write_bytes_per_second=100_000_000)
    async with (
        Serving(proxies={"p": large("1"), "q": snapshot("a")}, limits=limits) as serving,
        FakeEnvoy(serving.port, cluster="q") as other,
    ):
        stuck = FakeEnvoy(serving.port)
        await stuck.subscribe(ROUTE_CONFIGURATION, "r")
        await until(lambda: any(status.writing_since for status in serving.server.streams()))
        await other.subscribe(LISTENER)
        await other.ack(await other.expect(LISTENER))

        code, _ = await stuck.closed()
        await until(lambda: len(serving.server.streams()) == 1)
        serving.cache.set("q", snapshot("a", listener="again"))
        await other.expect(LISTENER)
        await stuck._channel.close()

    assert grpc.StatusCode.UNAVAILABLE == code
    assert "stalled RouteConfiguration" in serving.seen.events
    assert "closed p: did not read what it was sent" in serving.seen.events
    assert errors(caplog) == []


@slow
@asynchronous
async def test_drain_of_a_client_that_does_not_read(caplog):
    """Shutting down does not wait for who does not read."""
    async with Serving(proxies={"p": large("1")}) as serving:
        stuck = FakeEnvoy(serving.port)
        await stuck.subscribe(ROUTE_CONFIGURATION, "r")
        await until(lambda: any(status.writing_since for status in serving.server.streams()))

        async with asyncio.timeout(3):
            await serving.server.drain(0)
        stuck._call.cancel()
        await stuck._channel.close()
        await until(lambda: not serving.server.streams())

    assert serving.seen.events[-1].startswith("closed p: ")
    assert errors(caplog) == []


@slow
@asynchronous
async def test_client_that_goes_during_a_write(caplog):
    """A connection that is lost during a write is the end of its stream, and no error of ours."""
    async with Serving(proxies={"p": large("1")}) as serving:
        stuck = FakeEnvoy(serving.port)
        await stuck.subscribe(ROUTE_CONFIGURATION, "r")
        await until(lambda: any(status.writing_since for status in serving.server.streams()))

        stuck._call.cancel()
        await until(lambda: not serving.server.streams())
        await stuck._channel.close()

    assert serving.seen.events[-1].startswith("closed p: ")
    assert errors(caplog) == []

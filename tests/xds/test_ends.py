"""How streams and connections end, and what stays of them: nothing."""

import asyncio
import gc
import time

import grpc
from serving import Serving, asynchronous, errors, large, protocols, slow, snapshot, until

from xds.limits import Limits
from xds.requests import StreamEnd
from xds.session import Session
from xds.sotw import SotwStream
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, ROUTE_CONFIGURATION


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
@protocols
@asynchronous
async def test_rule_123_nothing_new_at_the_end(protocol):
    """A stream that is told to end is sent nothing more, whatever is published meanwhile."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        await envoy.ack(await envoy.expect(ROUTE_CONFIGURATION))
        await until(lambda: "acked ['r']" in serving.seen.events)
        [session] = serving.server._sessions.values()
        session.end(StreamEnd("enough", grpc.StatusCode.UNAVAILABLE))
        serving.cache.set("p", snapshot("a", weight=2))
        _, details = await envoy.closed()

    assert "enough" == details
    assert 1 == serving.seen.events.count("sent RouteConfiguration")


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


@slow
@protocols
@asynchronous
async def test_rule_122_connections_end(protocol):
    """A connection ends after its time; who comes back gets nothing again in delta."""
    limits = Limits(connection_seconds=0.5, connection_grace_seconds=0.2)
    async with Serving(limits=limits) as serving:
        async with FakeEnvoy(serving.port, protocol=protocol) as envoy:
            await envoy.subscribe(CLUSTER)
            clusters = await envoy.expect(CLUSTER)
            await envoy.ack(clusters)
            began = time.monotonic()
            await envoy.closed()
            took = time.monotonic() - began
        async with FakeEnvoy(serving.port, protocol=protocol) as again:
            have = clusters.versions if protocol == "delta" else None
            await again.subscribe(CLUSTER, have=have)
            response = await again.expect(CLUSTER)

    assert 2 > took
    assert {"sotw": {"a"}, "delta": set()}[protocol] == response.resources.keys()
    assert () == response.removed


@slow
@asynchronous
async def test_rule_12_streams_that_come_and_go(caplog):
    """Of three thousand short streams, ended in each way there is, nothing stays behind."""

    async def come_and_go(number):
        protocol = ("sotw", "delta")[number % 2]
        node = "" if number % 5 == 0 else "envoy-1"
        async with FakeEnvoy(serving.port, protocol=protocol, node=node) as envoy:
            if number % 3:
                await envoy.subscribe(CLUSTER)
            if node and number % 3 == 1:
                await envoy.expect(CLUSTER)
            elif node and number % 3 == 2:
                await envoy._call.done_writing()
                await envoy.closed()

    async with Serving() as serving:
        at_first = len(asyncio.all_tasks())
        for batch in range(30):
            await asyncio.gather(*(come_and_go(batch * 100 + each) for each in range(100)))
        await until(lambda: not serving.server.streams() and not serving.server._open)
        await until(lambda: len(asyncio.all_tasks()) <= at_first)

        assert not serving.cache._watches
        assert 0 == serving.server._house.admission.waiting
        gc.collect()
        assert 0 == sum(isinstance(each, Session | SotwStream) for each in gc.get_objects())
    opened = sum(event.startswith("opened") for event in serving.seen.events)
    closed = sum(event.startswith("closed") for event in serving.seen.events)
    assert opened == closed > 1000
    assert errors(caplog) == []

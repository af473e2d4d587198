"""What one client may cost, and all of them together, over real gRPC on loopback."""

import asyncio
import time
from contextlib import AsyncExitStack

import grpc
from serving import Serving, asynchronous, errors, large, protocols, slow, snapshot, until

from xds import messages
from xds.limits import Limits
from xds.services import method
from xds.testing import FakeEnvoy
from xds.types import LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION


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


def first_bursts(limit, *, turn=3600.0, wait=3600.0):
    return Limits(first_bursts=limit, first_burst_seconds=turn, first_wait_seconds=wait)


@slow
@protocols
@asynchronous
async def test_rule_116_first_bursts_take_turns(protocol):
    """While one client has not given its verdict, the next waits; then it is served."""
    async with (
        Serving(limits=first_bursts(1)) as serving,
        FakeEnvoy(serving.port, protocol=protocol) as one,
        FakeEnvoy(serving.port, protocol=protocol, node="envoy-2") as other,
    ):
        await one.subscribe(LISTENER)
        response = await one.expect(LISTENER)
        await other.subscribe(LISTENER)
        await until(lambda: len(serving.server.streams()) == 2)
        await other.expect_silence()
        waiting = [status.served for status in serving.server.streams()]
        await one.ack(response)
        await other.expect(LISTENER)

    assert [True, False] == waiting


@slow
@asynchronous
async def test_rule_116_nack_and_end_give_the_turn_on():
    """A turn ends with a refusal, with the stream, and with a client that is owed nothing."""
    async with Serving(limits=first_bursts(1)) as serving:
        async with FakeEnvoy(serving.port) as refusing:
            await refusing.subscribe(LISTENER)
            await refusing.nack(await refusing.expect(LISTENER), "no")
            async with FakeEnvoy(serving.port) as leaving:
                await leaving.subscribe(LISTENER)
                await leaving.expect(LISTENER)
        async with (
            FakeEnvoy(serving.port, cluster="unknown") as unknown,
            FakeEnvoy(serving.port) as last,
        ):
            await unknown.subscribe(LISTENER)
            await until(lambda: len(serving.server.streams()) == 1)
            await last.subscribe(LISTENER)
            await last.expect(LISTENER)


@slow
@asynchronous
async def test_rule_116_silent_clients_do_not_stop_others():
    """Clients that never answer cost those behind them a bounded time."""
    async with Serving(limits=first_bursts(1, turn=0.05)) as serving, AsyncExitStack() as stack:
        envoys = [await stack.enter_async_context(FakeEnvoy(serving.port)) for _ in range(5)]
        for envoy in envoys:
            await envoy.subscribe(LISTENER)
        for envoy in envoys:
            await envoy.expect(LISTENER)


@slow
@asynchronous
async def test_rule_116_who_waits_can_be_sent_away():
    """At shutdown, who still waits for its turn is told so, and who left is forgotten."""
    async with (
        Serving(limits=first_bursts(1)) as serving,
        FakeEnvoy(serving.port) as one,
        FakeEnvoy(serving.port) as waiting,
    ):
        await one.subscribe(LISTENER)
        await one.expect(LISTENER)
        async with FakeEnvoy(serving.port) as leaving:
            await leaving.subscribe(LISTENER)
            await until(lambda: len(serving.server.streams()) == 2)
        await until(lambda: len(serving.server.streams()) == 1)
        await until(lambda: not serving.server._house.admission.waiting)
        await waiting.subscribe(LISTENER)
        await until(lambda: len(serving.server.streams()) == 2)
        await serving.server.drain(0)
        code, details = await waiting.closed()

    assert grpc.StatusCode.UNAVAILABLE == code
    assert "shutting down" in details


@slow
@protocols
@asynchronous
async def test_rule_116_number_of_streams(protocol):
    """One stream too many is refused, and says why; when another ends there is room again."""
    async with Serving(limits=Limits(streams=2)) as serving:
        async with FakeEnvoy(serving.port) as one, FakeEnvoy(serving.port) as other:
            for envoy in (one, other):
                await envoy.subscribe(LISTENER)
                await envoy.expect(LISTENER)
            async with FakeEnvoy(serving.port, protocol=protocol) as third:
                code, details = await third.closed()
        await until(lambda: not serving.server.streams())
        async with FakeEnvoy(serving.port, protocol=protocol) as later:
            await later.subscribe(LISTENER)
            await later.expect(LISTENER)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == code
    assert "there are 2 streams already" == details
    assert f"refused: {details}" in serving.seen.events


@slow
@asynchronous
async def test_stream_that_says_nothing():
    """A stream on which no request comes is ended, so that it takes no room for ever."""
    async with (
        Serving(limits=Limits(introduction_seconds=0.05)) as serving,
        FakeEnvoy(serving.port) as silent,
    ):
        code, details = await silent.closed()

    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "no request came") == (code, details)


@slow
@protocols
@asynchronous
async def test_rule_115_requests_are_slowed(protocol):
    """Who asks too fast is read more slowly, told of once, and not cut off."""
    limits = Limits(requests_per_second=50, requests_at_once=5)
    async with (
        Serving(limits=limits) as serving,
        FakeEnvoy(serving.port, protocol=protocol) as envoy,
    ):
        began = time.monotonic()
        for number in range(25):
            await envoy.subscribe(ROUTE_CONFIGURATION, f"unknown-{number}")
        await envoy.subscribe(LISTENER)
        await envoy.expect(LISTENER)
        took = time.monotonic() - began

    assert 0.35 < took
    assert 1 == serving.seen.events.count("slowed")


@slow
@protocols
@asynchronous
async def test_rule_115_verdicts_are_not_counted(protocol):
    """A client may accept as fast as it is sent, whatever the rate of requests."""
    limits = Limits(requests_per_second=0.001, requests_at_once=1)
    async with (
        Serving(limits=limits) as serving,
        FakeEnvoy(serving.port, protocol=protocol) as envoy,
    ):
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        for weight in range(2, 12):
            await envoy.ack(await envoy.expect(ROUTE_CONFIGURATION))
            serving.cache.set("p", snapshot("a", weight=weight))
        await envoy.expect(ROUTE_CONFIGURATION)

    assert "slowed" not in serving.seen.events


@slow
@asynchronous
async def test_rule_119_streams_share_a_connection():
    """A thousand streams on one connection are all served, without waiting for each other."""
    async with (
        Serving(limits=Limits(first_bursts=1000)) as serving,
        grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel,
    ):
        open_stream = channel.stream_stream(method("delta", LOAD_ASSIGNMENT).path)
        calls = [open_stream() for _ in range(1000)]
        for number, call in enumerate(calls):
            await call.write(subscription(number))
        answers = await asyncio.gather(*(call.read() for call in calls))
        peers = {status.stream.peer for status in serving.server.streams()}
        for call in calls:
            call.cancel()
        await until(lambda: not serving.server.streams())

    assert 1000 == sum(isinstance(answer, bytes) for answer in answers)
    assert 1 == len(peers)


def subscription(number):
    request = messages.build(
        "envoy.service.discovery.v3.DeltaDiscoveryRequest",
        node={"id": f"envoy-{number}"},
        resource_names_subscribe=["a"],
    )
    return messages.encode(request)

"""The rules of the transport, over real gRPC on loopback."""

import functools
import threading
import time

import grpc
import pytest
from serving import REQUESTS, Serving, asynchronous, protocols, slow, snapshot, until

from xds import messages
from xds.encoder import Encoder
from xds.resource import Part, Resource
from xds.server import AdsServer
from xds.testing import FakeEnvoy
from xds.timing import Timing
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION
from xds.wire import field


@slow
@protocols
@asynchronous
async def test_everything_in_order(protocol):
    """A client gets clusters, endpoints, listeners and routes, and its word is heard."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(CLUSTER)
        clusters = await envoy.expect(CLUSTER)
        ahead = await envoy.expect(LOAD_ASSIGNMENT)
        await envoy.subscribe(LOAD_ASSIGNMENT, "a")
        await envoy.ack(ahead)
        await envoy.ack(clusters)
        await envoy.subscribe(LISTENER)
        await envoy.ack(await envoy.expect(LISTENER))
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        routes = await envoy.expect(ROUTE_CONFIGURATION)
        await envoy.nack(routes, "goo.gle/debugproto  missing ]: [")
        await until(lambda: "nack RouteConfiguration" in serving.seen.events)
        await envoy.expect_silence()
        [status] = serving.server.streams()

    states = {state.type_url: state for state in status.types}
    assert ["a"] == list(clusters.resources)
    assert "penstock-test" == clusters.control_plane
    assert "rejected ['r']: missing ]: [" in serving.seen.events
    assert clusters.version == states[CLUSTER].acked_version
    assert "missing ]: [" == states[ROUTE_CONFIGURATION].rejection.text
    assert abs(time.time() - states[ROUTE_CONFIGURATION].rejection.at) < 60
    assert ("envoy-1", "p", protocol) == (
        status.stream.node.id,
        status.stream.proxy,
        status.stream.protocol,
    )


@slow
@protocols
@asynchronous
async def test_rule_39_push(protocol):
    """A new snapshot is pushed, an equal one is not."""
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        await envoy.ack(await envoy.expect(ROUTE_CONFIGURATION))

        serving.cache.set("p", snapshot("a"))
        await envoy.expect_silence()
        serving.cache.set("p", snapshot("a", weight=2))
        pushed = await envoy.expect(ROUTE_CONFIGURATION)

    assert snapshot("a", weight=2).get(ROUTE_CONFIGURATION, "r").body == pushed.resources["r"]


@slow
@protocols
@asynchronous
async def test_large_responses_are_joined_beside_the_event_loop(protocol, monkeypatch):
    """To join 24 MB takes as long as hundreds of small requests; nobody waits for that."""
    threads = {}
    encode = Encoder.encode

    def spy(self, protocol, response):
        size = sum(each.size for each in response.resources)
        threads[size > 1_000_000] = threading.current_thread()
        return encode(self, protocol, response)

    monkeypatch.setattr(Encoder, "encode", spy)
    body = snapshot("a").get(ROUTE_CONFIGURATION, "r").body
    parts = [Part.of(body), Part.of(field(500, b"x" * 1_200_000))]
    large = Resource.of_parts(ROUTE_CONFIGURATION, "r", parts)
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        serving.cache.set("p", snapshot("a").updated([large]))
        await envoy.subscribe(LISTENER)
        await envoy.expect(LISTENER)
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        received = await envoy.expect(ROUTE_CONFIGURATION)

    assert large.body == received.resources["r"]
    assert threading.main_thread() is threads[False]
    assert threading.main_thread() is not threads[True]


@slow
@asynchronous
async def test_rule_1_node_only_at_first():
    """The node of the first request is that of the stream; the fake client sends no other."""
    async with (
        Serving(proxies={"p": snapshot("a"), "q": snapshot("b")}) as serving,
        FakeEnvoy(serving.port, cluster="q", metadata={"role": "x"}) as envoy,
    ):
        await envoy.subscribe(LISTENER)
        await envoy.expect(LISTENER)
        await envoy.subscribe(LOAD_ASSIGNMENT, "b")
        endpoints = await envoy.expect(LOAD_ASSIGNMENT)
        [status] = serving.server.streams()

    assert ["b"] == list(endpoints.resources)
    assert {"role": "x"} == status.stream.node.metadata


@slow
@protocols
@asynchronous
async def test_rule_3_another_node(protocol):
    """A client that calls itself something else later is served as what it was at first."""
    request = messages.build(
        f"envoy.service.discovery.v3.{REQUESTS[protocol]}",
        type_url=LISTENER,
        node={"id": "envoy-2", "cluster": "q"},
    )
    async with (
        Serving(proxies={"p": snapshot("a"), "q": snapshot("b")}) as serving,
        FakeEnvoy(serving.port, protocol=protocol, cluster="p") as envoy,
    ):
        await envoy.subscribe(CLUSTER)
        clusters = await envoy.expect(CLUSTER)
        await envoy.send(messages.encode(request))
        await envoy.expect(LISTENER)
        serving.cache.set("q", snapshot("b", "c"))
        await envoy.ack(clusters)
        serving.cache.set("p", snapshot("a", "d"))
        pushed = await envoy.expect(CLUSTER)
        [status] = serving.server.streams()

    assert "d" in pushed.resources
    assert {"a", "d"} >= pushed.resources.keys()
    assert ("envoy-1", "p") == (status.stream.node.id, status.stream.proxy)


@slow
@protocols
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"type_url": CLUSTER}, "no node"),
        ({"type_url": CLUSTER, "node": {"cluster": "p"}}, "no node"),
        ({"node": {"id": "x"}}, "no type_url"),
        (b"\xff", "not a discovery request"),
    ],
)
@asynchronous
async def test_rules_2_and_6_invalid_requests(protocol, payload, reason):
    """A stream that begins without a node, a type or a message is ended as invalid."""
    if not isinstance(payload, bytes):
        message = messages.build(f"envoy.service.discovery.v3.{REQUESTS[protocol]}", **payload)
        payload = messages.encode(message)
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.send(payload)
        code, details = await envoy.closed()

        assert not serving.server.streams()
    assert grpc.StatusCode.INVALID_ARGUMENT == code
    assert reason in details


@slow
@protocols
@asynchronous
async def test_rule_15_not_synced(protocol):
    """Nobody is served before the snapshots are to be believed; then everybody is."""
    async with Serving(synced=False) as serving:
        async with FakeEnvoy(serving.port, protocol=protocol) as envoy:
            code, details = await envoy.closed()
        serving.cache.mark_synced()
        async with FakeEnvoy(serving.port, protocol=protocol) as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.expect(CLUSTER)

    assert grpc.StatusCode.UNAVAILABLE == code
    assert "not been read yet" in details
    assert f"refused: {details}" in serving.seen.events


@slow
@protocols
@asynchronous
async def test_unknown_proxy_waits_in_silence(protocol):
    """A client whose proxy has no snapshot is kept and seen, and served when there is one."""
    async with (
        Serving() as serving,
        FakeEnvoy(serving.port, protocol=protocol, cluster="later") as envoy,
    ):
        await envoy.subscribe(CLUSTER)
        await envoy.expect_silence()
        [before] = serving.server.streams()
        serving.cache.set("later", snapshot("z"))
        clusters = await envoy.expect(CLUSTER)
        [after] = serving.server.streams()

    assert (False, True) == (before.served, after.served)
    assert ["z"] == list(clusters.resources)


@slow
@asynchronous
async def test_rule_9_two_streams_of_one_node():
    """Streams of one node are independent."""
    async with (
        Serving() as serving,
        FakeEnvoy(serving.port) as one,
        FakeEnvoy(serving.port, protocol="delta") as other,
    ):
        for envoy in (one, other):
            await envoy.subscribe(LISTENER)
            await envoy.expect(LISTENER)

        assert 2 == len(serving.server.streams())


@slow
@asynchronous
async def test_rule_12_state_ends_with_the_stream():
    """When a client goes nothing of it stays."""
    async with Serving() as serving:
        async with FakeEnvoy(serving.port) as envoy:
            await envoy.subscribe(LISTENER)
            await envoy.expect(LISTENER)
        await until(lambda: not serving.server.streams())

        assert not serving.cache._watches
    assert serving.seen.events[-1].startswith("closed p: ")


@slow
@asynchronous
async def test_address_in_use():
    """A second server on a port says so; it does not share the port."""
    async with Serving() as serving:
        other = AdsServer(serving.cache, proxy_of=lambda _: "p", identifier="other")

        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{serving.port}"):
            await other.start(f"127.0.0.1:{serving.port}")


@slow
@asynchronous
async def test_rule_12_half_closed_stream():
    """A client that ends its half ends the stream, in good order."""
    async with Serving() as serving, FakeEnvoy(serving.port) as envoy:
        await envoy.subscribe(LISTENER)
        await envoy.expect(LISTENER)
        await envoy._call.done_writing()
        code, _ = await envoy.closed()

    assert grpc.StatusCode.OK == code
    assert "closed p: closed by the client" in serving.seen.events


@slow
@protocols
@asynchronous
async def test_rule_80_deadlines_pass_in_silence(protocol, monkeypatch):
    """What has waited long enough for a verdict is sent, though nothing else happens."""
    monkeypatch.setattr("xds.stream.Timing", functools.partial(Timing, barrier=0.2))
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(CLUSTER)
        await envoy.ack(await envoy.expect(CLUSTER))
        await envoy.subscribe(ROUTE_CONFIGURATION, "r")
        await envoy.ack(await envoy.expect(ROUTE_CONFIGURATION))
        serving.cache.set("p", snapshot("a", "b", weight=2))
        await envoy.expect(CLUSTER)

        routes = await envoy.expect(ROUTE_CONFIGURATION)

    assert snapshot("a", "b", weight=2).get(ROUTE_CONFIGURATION, "r").body == routes.resources["r"]


@slow
@protocols
@asynchronous
async def test_rule_72_doubts_pass_in_silence(protocol, monkeypatch):
    """A request that is not answered at once, but sets a deadline, is answered then."""
    monkeypatch.setattr("xds.stream.Timing", functools.partial(Timing, doubt=0.2))
    async with Serving() as serving, FakeEnvoy(serving.port, protocol=protocol) as envoy:
        await envoy.subscribe(CLUSTER)
        ahead = await envoy.expect(LOAD_ASSIGNMENT)
        await envoy.subscribe(LOAD_ASSIGNMENT, "a")  # as if it had not got them
        again = await envoy.expect(LOAD_ASSIGNMENT)

    assert ahead.resources == again.resources
    assert ahead.nonce != again.nonce

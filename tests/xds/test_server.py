"""The rules of the transport, over real gRPC on loopback."""

import asyncio
import functools
import time

import grpc
import pytest

from xds import messages
from xds.cache import SnapshotCache
from xds.observer import Observer
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

REQUESTS = {"sotw": "DiscoveryRequest", "delta": "DeltaDiscoveryRequest"}
FULL_NAMES = {
    url: url.rpartition("/")[2] for url in (CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION)
}


def resource(type_url, name, *, requires=(), **fields):
    key = "cluster_name" if type_url == LOAD_ASSIGNMENT else "name"
    message = messages.build(FULL_NAMES[type_url], **{key: name}, **fields)
    return Resource.of(type_url, name, messages.encode(message), requires=requires)


def snapshot(*clusters, weight=1):
    return Snapshot.of(
        [
            *(resource(CLUSTER, name, requires=[name]) for name in clusters),
            *(resource(LOAD_ASSIGNMENT, name) for name in clusters),
            resource(LISTENER, "l", requires=["r"]),
            resource(
                ROUTE_CONFIGURATION,
                "r",
                requires=clusters,
                max_direct_response_body_size_bytes={"value": weight},
            ),
        ]
    )


class Recorder(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.events = []

    def stream_opened(self, stream):
        self.events.append(f"opened {stream.proxy} {stream.protocol}")

    def stream_closed(self, stream, reason):
        self.events.append(f"closed {stream.proxy}: {reason}")

    def stream_refused(self, peer, reason):
        self.events.append(f"refused: {reason}")

    def request_received(self, stream, type_url, kind):
        self.events.append(f"{kind} {type_url.rpartition('.')[2]}")

    def response_sent(self, stream, type_url, size):
        self.events.append(f"sent {type_url.rpartition('.')[2]}")

    def write_stalled(self, stream, type_url):
        self.events.append(f"stalled {type_url.rpartition('.')[2]}")

    def acked(self, stream, type_url, versions):
        self.events.append(f"acked {sorted(versions)}")

    def rejected(self, stream, type_url, versions, text):
        self.events.append(f"rejected {sorted(versions)}: {text}")


class Serving:
    """A server on a free port."""

    def __init__(self, *, synced=True, proxies=None, drain=0.0):
        self.cache = SnapshotCache()
        for proxy, content in (proxies or {"p": snapshot("a")}).items():
            self.cache.set(proxy, content)
        if synced:
            self.cache.mark_synced()
        self.seen = Recorder()
        self.server = AdsServer(
            self.cache,
            proxy_of=lambda node: node.cluster or "p",
            observer=self.seen,
            identifier="penstock-test",
        )

    async def __aenter__(self):
        self.port = await self.server.start("127.0.0.1:0")
        return self

    async def __aexit__(self, *_):
        await self.server.drain(0)


def asynchronous(test):
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


async def until(condition):
    """Wait for something that the server does in its own time."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


protocols = pytest.mark.parametrize("protocol", ["sotw", "delta"])
slow = pytest.mark.slow


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


def large(text):
    """Make a snapshot with a response that does not fit into any window of flow control."""
    body = text * (16 * 1024 * 1024 // len(text))
    routes = messages.build(
        FULL_NAMES[ROUTE_CONFIGURATION], name="r", request_headers_to_remove=[body]
    )
    return Snapshot.of([Resource.of(ROUTE_CONFIGURATION, "r", messages.encode(routes))])


@slow
@asynchronous
async def test_rule_114_client_that_does_not_read(monkeypatch):
    """A client that does not read is reported, holds up nobody, and gets the newest later."""
    monkeypatch.setattr("xds.session.WRITE_SECONDS", 0.2)
    async with Serving(proxies={"p": large("1")}) as serving:
        stuck = FakeEnvoy(serving.port)
        await stuck.subscribe(ROUTE_CONFIGURATION, "r")
        await until(lambda: "stalled RouteConfiguration" in serving.seen.events)
        for text in "2345":
            serving.cache.set("p", large(text))
        async with FakeEnvoy(serving.port) as other:
            await other.subscribe(LISTENER)
            await other.expect(LISTENER)
        async with stuck:
            await stuck.ack(await stuck.expect(ROUTE_CONFIGURATION))
            newest = await stuck.expect(ROUTE_CONFIGURATION)

    assert large("5").get(ROUTE_CONFIGURATION, "r").body == newest.resources["r"]


def errors(caplog):
    """List the errors of a test's own loop: gRPC's one poller may still call another test's."""
    messages = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    return [message for message in messages if "PollerCompletionQueue" not in message]


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

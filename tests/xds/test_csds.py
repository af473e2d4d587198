"""Rule 95, over real gRPC on loopback."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from conversation import CDS, LDS, RDS, SDS
from serving import Serving, asynchronous, protocols, resource, snapshot

from xds import messages
from xds.cache import SnapshotCache
from xds.csds import ClientStatus
from xds.discovery import Node
from xds.identity import Denial, Reason
from xds.observer import StreamInfo
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock, FakeEnvoy

SERVICE = "/envoy.service.status.v3.ClientStatusDiscoveryService"
pytestmark = pytest.mark.slow


class Asking:
    """A tool that asks for the status of clients."""

    def __init__(self, port):
        self._channel = grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)]
        )
        self._fetch = self._channel.unary_unary(f"{SERVICE}/FetchClientStatus")
        self._stream = self._channel.stream_stream(f"{SERVICE}/StreamClientStatus")

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self._channel.close()

    async def fetch(self, *matchers, **fields):
        return decoded(await self._fetch(request(*matchers, **fields)))

    async def send(self, payload):
        return await self._fetch(payload)

    def stream(self):
        return self._stream()


def request(*matchers, **fields):
    message = messages.build(
        "envoy.service.status.v3.ClientStatusRequest", node_matchers=matchers, **fields
    )
    return messages.encode(message)


def decoded(payload):
    return messages.parse("envoy.service.status.v3.ClientStatusResponse", payload).config


def told(config):
    """Put the resources of a client into words."""
    plain = messages.to_dict(config)
    return [
        f"{each['type_url'].rpartition('.')[2]} {each['name']}"
        f" {each['config_status']} {each['client_status']}"
        for each in plain.get("generic_xds_configs", ())
    ]


async def states(asking, expected, *matchers):
    """Wait until the only client is as expected: a verdict takes its time to arrive."""
    async with asyncio.timeout(5):
        while True:
            (config,) = await asking.fetch(*matchers)
            if told(config) == expected:
                return config
            await asyncio.sleep(0.005)


@protocols
@asynchronous
async def test_rule_95_accepted_refused_unanswered(protocol):
    """What a client accepted, refused and left unanswered is told, with versions and words."""
    content = snapshot("a")
    async with (
        Serving(proxies={"p": content}) as serving,
        FakeEnvoy(serving.port, protocol=protocol, cluster="p", metadata={"n": 1}) as envoy,
        Asking(serving.port) as asking,
    ):
        await envoy.subscribe(CDS)
        await envoy.ack(await envoy.expect(CDS))
        await envoy.subscribe(RDS, "r")
        await envoy.nack(await envoy.expect(RDS), "I do   not like it")
        await envoy.subscribe(LDS)
        config = await states(
            asking,
            [
                "Cluster a SYNCED ACKED",
                "Listener l STALE REQUESTED",
                "RouteConfiguration r ERROR NACKED",
            ],
        )

    cluster, listener, routes = config.generic_xds_configs
    assert ("envoy-1", "p", {"n": 1}) == (
        config.node.id,
        config.node.cluster,
        dict(config.node.metadata),
    )
    assert ("fake", "p") == (config.node.user_agent_name, config.client_scope)
    assert content.get(CDS, "a").body == cluster.xds_config.value
    assert (CDS, content.get(CDS, "a").version) == (
        cluster.xds_config.type_url,
        cluster.version_info,
    )
    assert not cluster.HasField("error_state")
    assert not listener.HasField("xds_config")
    assert abs(listener.last_updated.ToSeconds() - cluster.last_updated.ToSeconds()) < 60
    assert not routes.version_info
    error = routes.error_state
    assert ("I do not like it", content.get(RDS, "r").version) == (
        error.details,
        error.version_info,
    )
    assert content.get(RDS, "r").body == error.failed_configuration.value
    assert error.last_update_attempt.ToSeconds() >= routes.last_updated.ToSeconds() > 1.7e9


@protocols
@asynchronous
async def test_rule_95_without_contents(protocol):
    """Contents are left out on demand, those of a refused version too; nothing else is."""
    async with (
        Serving() as serving,
        FakeEnvoy(serving.port, protocol=protocol) as envoy,
        Asking(serving.port) as asking,
    ):
        await envoy.subscribe(CDS)
        await envoy.ack(await envoy.expect(CDS))
        await envoy.subscribe(RDS, "r")
        await envoy.nack(await envoy.expect(RDS), "no")
        await states(asking, ["Cluster a SYNCED ACKED", "RouteConfiguration r ERROR NACKED"])
        (full,) = await asking.fetch()
        (bare,) = await asking.fetch(exclude_resource_contents=True)

    for each in full.generic_xds_configs:
        each.ClearField("xds_config")
        each.error_state.ClearField("failed_configuration")
        if not each.error_state.ByteSize():
            each.ClearField("error_state")
    assert full == bare


@asynchronous
async def test_rule_95_matchers():
    """Only the clients that are asked for are told, one configuration for each stream."""
    async with (
        Serving() as serving,
        FakeEnvoy(serving.port, node="edge-1", metadata={"zone": "a"}) as first,
        FakeEnvoy(serving.port, node="edge-2", metadata={"zone": "b"}) as second,
        FakeEnvoy(serving.port, node="edge-2", protocol="delta") as third,
        Asking(serving.port) as asking,
    ):
        for envoy in (first, second, third):
            await envoy.subscribe(CDS)
            await envoy.expect(CDS)

        async def found(*matchers):
            return [config.node.id for config in await asking.fetch(*matchers)]

        zone = {"path": [{"key": "zone"}], "value": {"string_match": {"exact": "b"}}}
        assert ["edge-1", "edge-2", "edge-2"] == await found()
        assert ["edge-1"] == await found({"node_id": {"suffix": "1"}})
        assert ["edge-2"] == await found({"node_metadatas": [zone]})
        assert ["edge-1", "edge-2"] == await found(
            {"node_id": {"exact": "edge-1"}}, {"node_metadatas": [zone]}
        )
        assert [] == await found({"node_id": {"exact": "nobody"}})


@asynchronous
async def test_rule_95_what_is_not_understood():
    """A request that cannot be understood is refused with words."""
    async with Serving() as serving, Asking(serving.port) as asking:
        for payload, words in (
            (request({"node_id": {"prefix": ""}}), r"node_matchers\[0\]\.node_id\.prefix is empty"),
            (b"\xff", "."),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match=words) as caught:
                await asking.send(payload)

            assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()


@protocols
@asynchronous
async def test_rule_95_stream(protocol):
    """Each request on a stream gets one answer, of its own matchers and its own moment."""
    async with (
        Serving() as serving,
        FakeEnvoy(serving.port, protocol=protocol) as envoy,
        Asking(serving.port) as asking,
    ):
        await envoy.subscribe(CDS)
        response = await envoy.expect(CDS)
        call = asking.stream()
        await call.write(request())
        before = decoded(await call.read())
        await envoy.ack(response)
        await states(asking, ["Cluster a SYNCED ACKED"])
        await call.write(request())
        after = decoded(await call.read())
        await call.write(request({"node_id": {"exact": "nobody"}}))
        nobody = decoded(await call.read())
        await call.done_writing()

        assert ["Cluster a STALE REQUESTED"] == told(before[0])
        assert ["Cluster a SYNCED ACKED"] == told(after[0])
        assert 0 == len(nobody)
        assert grpc.aio.EOF is await call.read()
        assert grpc.StatusCode.OK is await call.code()


@asynchronous
async def test_a_stream_does_not_hold_up_the_end():
    """A tool that stays does not keep the server from stopping."""
    async with Serving() as serving, Asking(serving.port) as asking:
        call = asking.stream()
        await call.write(request())
        await call.read()
        async with asyncio.timeout(5):
            await serving.server.drain(0)

        assert grpc.StatusCode.OK is not await call.code()


@asynccontextmanager
async def alone(status):
    """Serve nothing but the status of clients."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((status.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Asking(port) as asking:
        yield asking
    await server.stop(0)


@pytest.mark.parametrize("reason", [Reason.ANONYMOUS, Reason.STRANGER, Reason.EXPIRED])
@asynchronous
async def test_rule_127_whoever_may_not_ask_is_told_why(reason):
    """Who may have nothing is refused, whichever way it asks, also while nobody is connected."""
    status = ClientStatus(list, authorize=lambda *_: Denial(reason=reason, text="no rule"))
    async with alone(status) as asking:
        call = asking.stream()
        await call.write(request())
        for answer in (asking.fetch(), call.read()):
            with pytest.raises(grpc.aio.AioRpcError, match="no rule") as caught:
                await answer

            assert grpc.StatusCode.PERMISSION_DENIED is caught.value.code()


@asynchronous
async def test_rule_127_others_are_not_told_of():
    """A caller is told of the clients of the proxies that it may ask for itself."""

    def authorize(identity, proxy):
        assert identity is None  # there is no TLS here
        return None if proxy == "mine" else Denial(reason=Reason.OTHER_PROXY, text="no")

    clients = [Client(1, clusters(1), "mine"), Client(2, clusters(1), "other")]
    async with alone(ClientStatus(lambda: clients, authorize=authorize)) as asking:
        assert ["1"] == [config.node.id for config in await asking.fetch()]
        assert [] == list(await asking.fetch({"node_id": {"exact": "2"}}))


@asynchronous
async def test_rule_127_the_server_asks_its_authorizer():
    """What decides who is served decides who is told."""
    denial = Denial(reason=Reason.STRANGER, text="no rule")
    server = AdsServer(
        SnapshotCache(), proxy_of=lambda _: "p", identifier="test", authorize=lambda *_: denial
    )
    async with Asking(await server.start("127.0.0.1:0")) as asking:
        with pytest.raises(grpc.aio.AioRpcError, match="no rule"):
            await asking.fetch()
    await server.drain(0)


class Client:
    """A client without a connection that has accepted all resources of one type."""

    def __init__(self, number, resources, proxy="p"):
        node = Node(id=f"{number}", cluster="", metadata={}, user_agent="", version="")
        self.info = StreamInfo(
            id=number, node=node, proxy=proxy, protocol="sotw", peer="", connected_at=0
        )
        machine = SotwStream(clock=FakeClock())
        machine.publish(Snapshot.of(resources))
        kind, names = resources[0].type_url, tuple(each.name for each in resources)
        (response,) = machine.receive(SotwRequest(type_url=kind, names=names))
        nonce, version = response.nonce, response.version
        machine.receive(SotwRequest(type_url=kind, names=names, nonce=nonce, version=version))
        self.resources = machine.resources


def clusters(count):
    return [resource(CDS, f"c{number}") for number in range(count)]


@asynchronous
async def test_secrets_are_not_told():
    """That a client has a secret is told, and its version, but not what it is."""
    secret = Resource.of(SDS, "key", b"private")
    client = Client(1, [secret])
    async with alone(ClientStatus(lambda: [client])) as asking:
        (config,) = await asking.fetch()

    (state,) = config.generic_xds_configs
    assert ["Secret key SYNCED ACKED"] == told(config)
    assert (secret.version, False) == (state.version_info, state.HasField("xds_config"))


@asynchronous
async def test_an_answer_has_an_end():
    """An answer that is larger than it may be is refused, with what to do about it."""
    clients = [Client(number, clusters(100)) for number in range(3)]
    async with alone(ClientStatus(lambda: clients, limit=25_000)) as asking:
        with pytest.raises(grpc.aio.AioRpcError, match="node_matchers") as caught:
            await asking.fetch()
        (config,) = await asking.fetch({"node_id": {"exact": "1"}})

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    assert 100 == len(config.generic_xds_configs)


@asynchronous
async def test_others_have_their_turn():
    """While ten thousand resources are encoded, others get their turn after each hundred."""
    client = Client(1, clusters(10_000))
    turns = 0

    async def tick():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    answer = await ClientStatus(list)._encode([client], contents=True)
    ticking.cancel()

    assert 10_000 == len(decoded(answer)[0].generic_xds_configs)
    assert turns >= 100

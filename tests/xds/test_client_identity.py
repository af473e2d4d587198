"""Who a client is counts, and not who it says it is: real TLS on loopback."""

import asyncio
import datetime as dt
import functools

import grpc
import pytest
from grpc.experimental import session_cache
from support.certificates import Authority

from xds import messages
from xds.cache import SnapshotCache
from xds.identity import Denial, Identity, Reason
from xds.observer import Observer
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.testing import FakeEnvoy
from xds.types import CLUSTER

pytestmark = pytest.mark.slow

AUTHORITY, OTHER = Authority(), Authority("other")
SERVER = AUTHORITY.server()
SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
REQUESTS = {"sotw": "DiscoveryRequest", "delta": "DeltaDiscoveryRequest"}


def snapshot(name):
    message = messages.build("envoy.config.cluster.v3.Cluster", name=name)
    return Snapshot.of([Resource.of(CLUSTER, name, messages.encode(message))])


class Recorder(Observer):
    def __init__(self):
        self.opened = []
        self.denied = []
        self.refused = []

    def stream_opened(self, stream):
        self.opened.append(stream)

    def stream_denied(self, stream, denial):
        self.denied.append((stream, denial))

    def stream_refused(self, peer, reason):
        self.refused.append(reason)


def own_name_only(identity, proxy):
    """Let a client ask for the proxy that its certificate names."""
    if identity is not None and {proxy, f"spiffe://trust/{proxy}"} & set(identity.names):
        return None
    return Denial(reason=Reason.STRANGER, text=f"{identity} is not {proxy}")


class Serving:
    """A server with TLS on a free port, with two proxies `a` and `b`."""

    def __init__(self, *, client_ca=AUTHORITY.cert, authorize=own_name_only):
        self.cache = cache = SnapshotCache()
        for proxy in ("a", "b"):
            cache.set(proxy, snapshot(f"cluster-of-{proxy}"))
        cache.mark_synced()
        self.seen = Recorder()
        self.server = AdsServer(
            cache,
            proxy_of=lambda node: node.cluster,
            observer=self.seen,
            authorize=authorize,
            identifier="penstock-test",
        )
        self.credentials = grpc.ssl_server_credentials(
            [(SERVER.key, SERVER.cert)], client_ca, require_client_auth=client_ca is not None
        )

    async def __aenter__(self):
        self.port = await self.server.start("127.0.0.1:0", self.credentials)
        return self

    async def __aexit__(self, *_):
        await self.server.drain(0)

    def envoy(self, pair, *, roots=AUTHORITY.cert, **options):
        return FakeEnvoy(self.port, credentials=credentials(pair, roots), **options)


def credentials(pair, roots=AUTHORITY.cert):
    key, cert = (pair.key, pair.cert) if pair else (None, None)
    return grpc.ssl_channel_credentials(roots, key, cert)


def asynchronous(test):
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


protocols = pytest.mark.parametrize("protocol", ["sotw", "delta"])


@protocols
@asynchronous
async def test_rule_127_tls(protocol):
    """The server proves itself, and without a clients' authority it asks nobody for proof."""
    async with (
        Serving(client_ca=None, authorize=lambda *_: None) as serving,
        serving.envoy(None, protocol=protocol, cluster="a") as envoy,
    ):
        await envoy.subscribe(CLUSTER)

        assert {"cluster-of-a"} == set((await envoy.expect(CLUSTER)).resources)
        assert [None] == [stream.identity for stream in serving.seen.opened]


@asynchronous
async def test_rule_127_server_is_not_trusted():
    """A client that expects another authority does not talk to the server."""
    async with (
        Serving() as serving,
        serving.envoy(AUTHORITY.issue(dns=["a"]), roots=OTHER.cert, cluster="a") as envoy,
    ):
        await ask_in_vain(envoy)

        assert [] == serving.seen.opened


async def ask_in_vain(envoy):
    """Ask, and see that the connection does not come about."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await envoy.subscribe(CLUSTER)
    assert grpc.StatusCode.UNAVAILABLE is caught.value.code()


@asynchronous
async def test_rule_127_no_tls():
    """A client without TLS gets nothing from a server with TLS."""
    async with Serving() as serving, FakeEnvoy(serving.port, cluster="a") as envoy:
        await ask_in_vain(envoy)

        assert [] == serving.seen.opened


@protocols
@asynchronous
async def test_rule_127_mutual_tls(protocol):
    """A client of the right authority gets its proxy's resources, and is known by its names."""
    pair = AUTHORITY.issue("somebody", dns=["a"], uris=["spiffe://trust/a"])
    async with (
        Serving() as serving,
        serving.envoy(pair, protocol=protocol, cluster="a") as envoy,
    ):
        await envoy.subscribe(CLUSTER)

        assert {"cluster-of-a"} == set((await envoy.expect(CLUSTER)).resources)
        (status,) = serving.server.streams()
        identity = status.stream.identity
        assert (("spiffe://trust/a",), ("a",)) == (identity.uris, identity.dns)
        assert "CN=somebody" == identity.subject


@pytest.mark.parametrize(
    "pair",
    [
        None,
        OTHER.issue(dns=["a"]),
        AUTHORITY.issue(dns=["a"], ends_in=dt.timedelta(minutes=-1)),
        AUTHORITY.issue(dns=["a"], usages=["server"]),
    ],
    ids=["none", "of another authority", "expired", "a server's"],
)
@asynchronous
async def test_rule_127_certificates_that_do_not_count(pair):
    """With a clients' authority, a client without a valid certificate does not even connect."""
    async with Serving() as serving, serving.envoy(pair, cluster="a") as envoy:
        await ask_in_vain(envoy)

        assert [] == [*serving.seen.opened, *serving.seen.denied, *serving.seen.refused]


@protocols
@asynchronous
async def test_rules_13_and_127_denied(protocol):
    """Who may not have a proxy gets PERMISSION_DENIED, and nothing before it."""
    async with (
        Serving() as serving,
        serving.envoy(AUTHORITY.issue(dns=["b"]), protocol=protocol, cluster="a") as envoy,
    ):
        await envoy.subscribe(CLUSTER)

        assert (grpc.StatusCode.PERMISSION_DENIED, "b is not a") == await envoy.closed()
        await envoy.expect_silence(seconds=0)
        assert [] == serving.seen.opened
        ((stream, denial),) = serving.seen.denied
        assert ("a", ("b",), Reason.STRANGER) == (
            stream.proxy,
            stream.identity.dns,
            denial.reason,
        )
        assert () == serving.server.streams()


@protocols
@asynchronous
async def test_rules_3_and_127_another_node_later(protocol):
    """A client that introduces itself anew as another proxy goes on getting its own only."""
    async with (
        Serving() as serving,
        serving.envoy(AUTHORITY.issue(dns=["a"]), protocol=protocol, cluster="a") as envoy,
    ):
        await envoy.subscribe(CLUSTER)
        await envoy.ack(await envoy.expect(CLUSTER))
        again = messages.build(
            f"envoy.service.discovery.v3.{REQUESTS[protocol]}",
            type_url=CLUSTER,
            node={"id": "envoy-1", "cluster": "b"},
        )
        await envoy.send(messages.encode(again))
        for proxy in ("b", "a"):
            serving.cache.set(proxy, snapshot(f"news-of-{proxy}"))

        assert {"news-of-a"} == set((await envoy.expect(CLUSTER)).resources)
        await envoy.expect_silence()
        assert ["a"] == [status.stream.proxy for status in serving.server.streams()]


@asynchronous
async def test_rule_127_streams_of_one_connection():
    """Each stream of a connection is asked for itself: to have had one proxy opens no other."""
    pair = AUTHORITY.issue(dns=["a"])
    async with (
        Serving() as serving,
        serving.envoy(pair, cluster="a") as friend,
        serving.envoy(pair, cluster="b") as stranger,
    ):
        await friend.subscribe(CLUSTER)
        await friend.expect(CLUSTER)
        await stranger.subscribe(CLUSTER)

        code, _ = await stranger.closed()
        assert grpc.StatusCode.PERMISSION_DENIED is code


@pytest.mark.parametrize(
    "names", [{"dns": ["a\0.evil"]}, {"uris": ["spiffe://trust/a\0.evil"]}], ids=["DNS", "URI"]
)
@asynchronous
async def test_rule_127_a_zero_byte_does_not_end_a_name(names):
    """A name with a zero byte in it is not the name before that byte."""
    pair = AUTHORITY.issue(**names)
    async with Serving() as serving, serving.envoy(pair, cluster="a") as envoy:
        await envoy.subscribe(CLUSTER)

        code, _ = await envoy.closed()
        assert grpc.StatusCode.PERMISSION_DENIED is code


@asynchronous
async def test_rule_127_resumed_sessions(monkeypatch):
    """A TLS session that is resumed has the identity of the one that it resumes."""
    seen = []

    class Recording:
        @staticmethod
        def of(auth_context):
            identity = Identity.of(auth_context)
            seen.append((auth_context["ssl_session_reused"], identity.dns))
            return identity

    monkeypatch.setattr("xds.server.Identity", Recording)
    options = [
        ("grpc.ssl_target_name_override", "localhost"),
        ("grpc.ssl_session_cache", session_cache.ssl_session_cache_lru(1)),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    pair = AUTHORITY.issue(dns=["a"])
    request = messages.build(
        "envoy.service.discovery.v3.DiscoveryRequest",
        type_url=CLUSTER,
        node={"id": "envoy-1", "cluster": "a"},
    )
    async with Serving() as serving:
        for _ in range(2):
            async with grpc.aio.secure_channel(
                f"127.0.0.1:{serving.port}", credentials(pair), options
            ) as channel:
                call = channel.stream_stream(f"/{SERVICE}/StreamAggregatedResources")()
                await call.write(messages.encode(request))
                assert await call.read()
                call.cancel()

        assert [([b"false"], ("a",)), ([b"true"], ("a",))] == seen

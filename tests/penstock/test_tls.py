"""TLS of the whole program: files that are replaced, and clients that are strangers."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import json
import os
import socket
import ssl
import urllib.request
from contextlib import asynccontextmanager

import grpc
import pytest
from click.testing import CliRunner
from grpc.experimental import session_cache
from structlog.testing import capture_logs
from support.certificates import Authority, Pair, Secret

from penstock import tls
from penstock.access import Rule
from penstock.address import Address
from penstock.certificates import Material, TlsFiles
from penstock.cli import program
from penstock.events import CertificatesBroken, CertificatesReloaded, ReloadFinished, StreamDenied
from penstock.feed import Feed
from penstock.serve import Options, running
from penstock.tls import Rotation
from xds.identity import Identity, Reason
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER

pytestmark = pytest.mark.slow

ANY = Address("127.0.0.1", 0)
AUTHORITY, OTHER = Authority(), Authority("other")
FIRST, SECOND = AUTHORITY.server("localhost", "first"), AUTHORITY.server("localhost", "second")
EDGE = AUTHORITY.issue(uris=["spiffe://cluster.local/ns/edge/sa/one"])
ROUTES = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /}]
        directResponseAction: {status: 200}
---
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: all, namespace: gloo-system}
spec:
  bindPort: 8080
  proxyNames: [gateway-proxy, internal-proxy]
  httpGateway: {}
"""


def asynchronous(test):
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def secret(tmp_path):
    secret = Secret(tmp_path / "secret")
    secret.swap(FIRST, AUTHORITY.cert)
    return secret


@pytest.fixture
def serving(tmp_path, secret, monkeypatch):
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.01)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.yaml").write_text(ROUTES)

    @asynccontextmanager
    async def serving(*rules, mutual=True):
        files = TlsFiles(cert=secret.cert, key=secret.key, client_ca=secret.ca if mutual else None)
        options = Options(
            config=tmp_path / "config",
            ads=ANY,
            admin=ANY,
            tls=files,
            allow=tuple(map(Rule.parse, rules)),
        )
        async with running(options) as program:
            with program.events() as events:
                await until(events, ReloadFinished)
                yield program, events

    return serving


async def until(events, kind):
    async with asyncio.timeout(20):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the events ended without {kind}")


def credentials(pair, roots=AUTHORITY.cert):
    return grpc.ssl_channel_credentials(roots, pair and pair.key, pair and pair.cert)


def envoy_of(program, pair=EDGE, *, roots=AUTHORITY.cert, **options):
    return FakeEnvoy(program.ads.port, credentials=credentials(pair, roots), **options)


async def shown_by(program, roots=AUTHORITY.cert):
    """Shake hands, and return the names in the certificate that the server shows."""

    def shake():
        context = ssl.create_default_context(cadata=roots.decode())
        address = ("127.0.0.1", program.ads.port)
        with (
            socket.create_connection(address, timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return [name for _, name in secure.getpeercert()["subjectAltName"]]

    return await asyncio.to_thread(shake)


def expected_names(pair):
    return Identity.of({"x509_pem_cert": [pair.cert]}).names


async def get(program, path):
    def ask():
        with urllib.request.urlopen(f"http://{program.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(ask)


async def refused(envoy):
    """Tell whether the connection does not come about."""
    try:
        await envoy.subscribe(CLUSTER)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


@asynchronous
async def test_a_new_certificate_is_shown_to_new_clients(serving, secret):
    """A swapped certificate is what the next handshake shows; streams go on as they were."""
    async with serving() as (program, events), envoy_of(program) as old:
        await old.subscribe(CLUSTER)
        clusters = await old.expect(CLUSTER)
        assert ["localhost", "first"] == await shown_by(program)

        secret.swap(SECOND, AUTHORITY.cert)
        event = await until(events, CertificatesReloaded)

        assert event.changed
        assert ["localhost", "second"] == await shown_by(program)
        async with envoy_of(program, node="new") as new:
            await new.subscribe(CLUSTER)
            assert clusters.version == (await new.expect(CLUSTER)).version
            await old.ack(clusters)
            await old.subscribe(LISTENER)
            await old.expect(LISTENER)
            assert 2 == len(program.server.streams())


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Pair(SECOND.cert, FIRST.key), "is not the one of the certificate in"),
        (Pair(SECOND.cert, b""), "holds no private key"),
        (Pair(SECOND.cert[:-40], SECOND.key), "is broken or cut off"),
        (Pair(b"", b""), "holds no certificate"),
        (AUTHORITY.issue(dns=["localhost"], ends_in=dt.timedelta(minutes=-1)), "expired at"),
    ],
    ids=["mismatch", "no key", "cut off", "empty", "expired"],
)
@asynchronous
async def test_a_broken_replacement_changes_nothing(serving, secret, broken, words):
    """What cannot be used is told once, what was good last is shown, and a repair is noticed."""
    async with serving() as (program, events):
        secret.swap(broken, AUTHORITY.cert)
        event = await until(events, CertificatesBroken)
        assert words in event.reason

        assert ["localhost", "first"] == await shown_by(program)
        status = json.loads(await get(program, "/api/v1/status"))["tls"]
        assert (False, event.reason) == (status["usable"], status["reason"])
        assert "penstock_tls_files_usable 0.0" in await get(program, "/metrics")
        async with envoy_of(program) as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.expect(CLUSTER)

        secret.swap(SECOND, AUTHORITY.cert)
        assert (await until(events, CertificatesReloaded)).changed
        assert ["localhost", "second"] == await shown_by(program)
        status = json.loads(await get(program, "/api/v1/status"))["tls"]
        assert (True, "", None) == (status["usable"], status["reason"], status["since"])
        metrics = await get(program, "/metrics")
        assert "penstock_tls_files_usable 1.0" in metrics
        assert 'penstock_tls_reloads_total{result="failed"} 1.0' in metrics
        assert 'penstock_tls_reloads_total{result="loaded"} 1.0' in metrics
        assert "penstock_tls_certificate_expiry_seconds 1." in metrics


@asynchronous
async def test_another_clients_authority(serving, secret):
    """
    After a swap of the authority its clients are let in, and those of the old one no longer.

    Not even with a session that the old one began; streams that are open go on.
    """
    stranger = OTHER.issue(dns=["a.example"])
    cache = session_cache.ssl_session_cache_lru(1)
    async with serving() as (program, events), envoy_of(program) as old:
        await old.subscribe(CLUSTER)
        clusters = await old.expect(CLUSTER)
        assert await answers(program, EDGE, cache)
        async with envoy_of(program, stranger) as envoy:
            assert await refused(envoy)

        secret.swap(FIRST, OTHER.cert)
        await until(events, CertificatesReloaded)

        async with envoy_of(program, stranger) as envoy:
            await envoy.subscribe(CLUSTER)
            assert clusters.version == (await envoy.expect(CLUSTER)).version
        async with envoy_of(program, EDGE) as envoy:
            assert await refused(envoy)
        assert not await answers(program, EDGE, cache)
        await old.ack(clusters)
        await old.subscribe(LISTENER)
        await old.expect(LISTENER)


async def answers(program, pair, cache):
    """Tell whether a client with a memory of its TLS sessions gets as far as the service."""
    options = [
        ("grpc.ssl_target_name_override", "localhost"),
        ("grpc.ssl_session_cache", cache),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    channel = grpc.aio.secure_channel(f"127.0.0.1:{program.ads.port}", credentials(pair), options)
    async with channel:
        try:
            await channel.unary_unary("/no.such/Method")(b"", timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
    raise AssertionError("there is such a method")


@asynchronous
async def test_an_own_authority_for_the_server(serving, secret):
    """The server's own certificate may come from another authority from one day to the next."""
    async with serving(mutual=False) as (program, events):
        secret.swap(OTHER.server("localhost"), b"")
        await until(events, CertificatesReloaded)

        assert ["localhost"] == await shown_by(program, OTHER.cert)
        async with envoy_of(program, None, roots=OTHER.cert) as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.expect(CLUSTER)


@pytest.mark.parametrize(
    ("pair", "cluster", "reason"),
    [
        (EDGE, "gateway-proxy", None),
        (EDGE, "no-such-proxy", None),
        (EDGE, "internal-proxy", "other_proxy"),
        (AUTHORITY.issue(dns=["ops.example"]), "internal-proxy", None),
        (AUTHORITY.issue(dns=["ops.example"]), "gateway-proxy", None),
        (AUTHORITY.issue(uris=["spiffe://cluster.local/ns/lab/sa/one"]), "", "stranger"),
        (AUTHORITY.issue("gateway-proxy"), "gateway-proxy", "anonymous"),
    ],
)
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@asynchronous
async def test_rules_decide_by_the_proxy_that_a_node_is(serving, protocol, pair, cluster, reason):
    """
    A client gets the proxy that its node resolves to, or PERMISSION_DENIED and nothing else.

    An unknown cluster is the default proxy. A denial is counted and logged, once.
    """
    rules = ("spiffe://cluster.local/ns/edge/sa/* = gateway-proxy", "ops.example = *")
    with capture_logs() as logged:
        async with (
            serving(*rules) as (program, events),
            envoy_of(program, pair, protocol=protocol, cluster=cluster) as envoy,
        ):
            await envoy.subscribe(CLUSTER)
            if reason is None:
                await envoy.expect(CLUSTER)
                names = ", ".join(expected_names(pair))
                status = json.loads(await get(program, "/api/v1/status"))
                assert [names] == [
                    envoy["identity"] for proxy in status["proxies"] for envoy in proxy["envoys"]
                ]
            else:
                code, text = await envoy.closed()
                await until(events, StreamDenied)
                await envoy.expect_silence(seconds=0)
                assert grpc.StatusCode.PERMISSION_DENIED is code
                assert text
                assert () == program.server.streams()
            metrics = await get(program, "/metrics")

    denials = [event for event in logged if event["event"] == "stream_denied"]
    counts = {
        each: f'penstock_xds_streams_denied_total{{reason="{each}"}} {float(each == reason)}'
        for each in Reason
    }
    assert [] == [line for line in counts.values() if line not in metrics]
    assert [reason] * bool(reason) == [event["reason"] for event in denials]
    opened = [event["identity"] for event in logged if event["event"] == "stream_opened"]
    assert [", ".join(expected_names(pair))] * (not reason) == opened
    assert all(event["identity"] and event["peer"] and event["node"] for event in denials)


@pytest.mark.parametrize("role", ["internal-proxy", "x" * 1_000_000])
@asynchronous
async def test_a_role_is_a_claim_too(serving, role):
    """Who claims another proxy by its role is denied as if by its cluster, however long it is."""
    with capture_logs() as logged:
        await _claim(serving, role)

    (denied,) = (event for event in logged if event["event"] == "stream_denied")
    assert role[:256] == denied["proxy"]


async def _claim(serving, role):
    async with (
        serving("spiffe://cluster.local/ns/edge/sa/* = gateway-proxy") as (program, _),
        envoy_of(
            program,
            cluster="gateway-proxy",
            metadata={"role": f"gloo-system~{role}"},
        ) as envoy,
    ):
        await envoy.subscribe(CLUSTER)

        code, text = await envoy.closed()
        assert grpc.StatusCode.PERMISSION_DENIED is code
        assert f"may not ask for the proxy '{role[:128]}" in text


class Listener:
    """A rotation whose looks are made by hand."""

    def __init__(self, secret, now=None):
        self.events = []
        self.now = now or dt.datetime.now(dt.UTC)
        feed = Feed()
        feed.listen(self.events.append)
        self.rotation = Rotation(
            TlsFiles(cert=secret.cert, key=secret.key, client_ca=secret.ca),
            feed,
            lambda: self.now,
        )

    async def look(self):
        """Look, and return what was told."""
        self.events.clear()
        await self.rotation.look()
        return [type(event) for event in self.events]


@asynchronous
async def test_every_state_of_the_files_is_told_once(secret):
    """As long as nothing changes nothing is told, whether it is good or broken."""
    listener = Listener(secret)
    broken = Pair(SECOND.cert, FIRST.key)

    assert [] == await listener.look()
    secret.swap(FIRST, AUTHORITY.cert)
    assert [] == await listener.look()
    secret.swap(broken, AUTHORITY.cert)
    assert [CertificatesBroken] == await listener.look()
    since = listener.rotation.state.since
    listener.now += dt.timedelta(seconds=1)
    assert [] == await listener.look()
    secret.swap(broken, AUTHORITY.cert + b"\n")
    assert [] == await listener.look()
    secret.ca.unlink()
    assert [CertificatesBroken] == await listener.look()
    assert since == listener.rotation.state.since
    secret.ca.symlink_to("..data/ca.crt")
    secret.swap(FIRST, AUTHORITY.cert)
    assert [CertificatesReloaded] == await listener.look()
    assert not listener.events[0].changed
    assert "" == listener.rotation.state.problem


@asynchronous
async def test_news_is_told_to_grpc_once(secret):
    """What gRPC has taken it is not given again: it would forget all its sessions each time."""
    listener = Listener(secret)
    assert listener.rotation._fetch() is None

    for pair in (SECOND, FIRST):
        secret.swap(pair, AUTHORITY.cert)
        await listener.look()

    assert listener.rotation._fetch() is not None
    assert listener.rotation._fetch() is None


@asynchronous
async def test_content_counts_and_nothing_else(tmp_path, secret):
    """A new content is noticed in a file whose size, times and place are as before."""
    folder = tmp_path / "plain"
    folder.mkdir()
    plain = {secret.cert.name: FIRST.cert, secret.key.name: FIRST.key, "ca.crt": AUTHORITY.cert}
    for name, content in plain.items():
        (folder / name).write_bytes(content)
    files = TlsFiles(cert=folder / "tls.crt", key=folder / "tls.key", client_ca=folder / "ca.crt")
    rotation = Rotation(files, Feed(), lambda: dt.datetime.now(dt.UTC))
    times = [(path.stat().st_atime_ns, path.stat().st_mtime_ns) for path in folder.iterdir()]

    size = len(FIRST.cert)
    other = next(
        pair
        for pair in (AUTHORITY.server("localhost", "tsrif") for _ in range(200))
        if len(pair.cert) == size and len(pair.key) == len(FIRST.key)
    )
    (folder / "tls.crt").write_bytes(other.cert)
    (folder / "tls.key").write_bytes(other.key)
    for path, pair in zip(folder.iterdir(), times, strict=True):
        os.utime(path, ns=pair)
    before = rotation.state
    await rotation.look()

    assert "" == rotation.state.problem
    assert rotation._material.cert == other.cert
    assert before.mutual


@asynchronous
async def test_files_that_change_under_its_eyes_wait_for_the_next_look(secret, monkeypatch):
    """What is written while it is read is neither used nor told of."""
    listener = Listener(secret)
    check = Material.check

    def swapping(files, contents):
        try:
            return check(files, contents)
        finally:
            secret.swap(SECOND, AUTHORITY.cert)

    secret.swap(Pair(SECOND.cert, FIRST.key), AUTHORITY.cert)
    with monkeypatch.context() as patch:
        patch.setattr(Material, "check", swapping)
        assert [] == await listener.look()

    assert [CertificatesReloaded] == await listener.look()


@asynchronous
async def test_an_expired_certificate_is_better_than_an_older_one(secret):
    """An expired certificate starts a server, and replaces one that has expired too."""
    old, new = (
        AUTHORITY.issue(dns=["localhost"], ends_in=dt.timedelta(minutes=minutes))
        for minutes in (-2, -1)
    )
    secret.swap(old, AUTHORITY.cert)
    listener = Listener(secret)
    secret.swap(new, AUTHORITY.cert)

    assert [CertificatesReloaded] == await listener.look()


def test_broken_files_start_nothing(secret):
    """At the start there is no last good: the program ends, and says which file it is."""
    secret.swap(Pair(FIRST.cert, SECOND.key), AUTHORITY.cert)

    arguments = ["--ads-tls-cert", str(secret.cert), "--ads-tls-key", str(secret.key)]

    result = CliRunner().invoke(program, ["serve", str(secret.folder), *arguments])

    assert 2 == result.exit_code
    assert (
        f"Error: the key in {secret.key} is not the one of the certificate in {secret.cert}\n"
        == result.output
    )

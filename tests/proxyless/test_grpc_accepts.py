"""gRPC's own client as the judge of what is emitted for it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from support import wait_until
from support.grpc_client import GrpcBackend, GrpcClient
from support.ir_strategies import served_proxies

from translator import ir
from translator.emit import emit
from translator.emit.proxyless import emit_proxyless, proxyless
from xds.cache import SnapshotCache
from xds.observer import Observer
from xds.server import AdsServer
from xds.types import CLUSTER

pytestmark = pytest.mark.slow

SOURCE = ir.Source(kind="VirtualService", namespace="ns", name="app")


class Judge(Observer):
    """A server with one snapshot, in a thread of its own, and what its clients say to it."""

    def __init__(self):
        self.accepted: Counter[str] = Counter()
        self.refused: list[tuple[str, dict[str, str], str]] = []
        self._cache = SnapshotCache()
        self._cache.mark_synced()

    def acked(self, stream, type_url, versions):
        self.accepted.update(list(versions))

    def rejected(self, stream, type_url, versions, text):
        self.refused.append((type_url, dict(versions), text))

    def publish(self, snapshot):
        self._loop.call_soon_threadsafe(self._cache.set, "proxy", snapshot)

    @contextmanager
    def serving(self):
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        server = self._run(self._start())
        try:
            yield self
        finally:
            self._run(server.drain(0))
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(timeout=10)
            self._loop.close()

    async def _start(self):
        server = AdsServer(
            self._cache, proxy_of=lambda _: "proxy", observer=self, identifier="test"
        )
        self.port = await server.start("127.0.0.1:0")
        return server

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)


@pytest.fixture(scope="module")
def judge():
    with Judge().serving() as judge:
        yield judge


@pytest.fixture(scope="module")
def client(judge, tmp_path_factory):
    with GrpcClient(tmp_path_factory.mktemp("client"), judge.port) as client:
        yield client


numbers = itertools.count()


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(proxy=served_proxies)
def test_rule_129_grpc_refuses_nothing(judge, client, proxy):
    """Whatever valid routes and clusters a proxy has, gRPC accepts all that it asks for."""
    number = next(numbers)
    host = f"host{number}.test"
    (configuration,) = proxy.route_configurations
    first, *rest = configuration.virtual_hosts
    hosts = (replace(first, domains=(host, *first.domains)), *rest)
    named = replace(
        proxy,
        route_configurations=(replace(configuration, virtual_hosts=hosts),),
    )
    before = judge.accepted[host]

    judge.publish(emit_proxyless(proxyless(named)))
    answer = client.say(f"xds:///{host}", "/demo.Echo/Say", timeout=5)

    assert answer.startswith("UNAVAILABLE"), answer
    assert "does not exist" not in answer
    wait_until(lambda: judge.accepted[host] > before, "the ACK of the listener")
    assert [] == judge.refused


def test_rules_131_and_133_what_grpc_refuses(tmp_path):
    """A cluster as Envoys get it is refused by its name, and calls to the others go through."""
    with (
        Judge().serving() as judge,
        GrpcBackend("v1") as backend,
        GrpcClient(tmp_path, judge.port) as client,
    ):
        snapshot = emit_proxyless(proxyless(halves("good", "bad", backend.port)))
        envoys = emit(halves("good", "bad", backend.port))
        clusters = snapshot.given(CLUSTER) | {"bad": envoys.given(CLUSTER)["bad"]}
        judge.publish(snapshot.replace(CLUSTER, clusters.values()))

        answers = client.ask("xds:///svc.test", count=40)

        assert {"v1", "UNAVAILABLE"} == {answer.partition(":")[0] for answer in answers}
        wait_until(lambda: judge.refused, "the NACK")
        # A client that asks for one cluster more is sent all that it asks for.
        assert len(judge.refused) <= 2
        for type_url, versions, text in judge.refused:
            assert (CLUSTER, {"bad"}) == (type_url, set(versions))
            assert "unknown discovery type" in text

        judge.publish(snapshot)
        wait_until(lambda: Counter({"v1": 20}) == client.ask("xds:///svc.test", count=20), "peace")


def halves(one, other, port):
    """A proxy with two clusters that share the calls."""
    members = tuple(
        ir.WeightedDestination(destination=ir.Destination(cluster=name), weight=1)
        for name in (one, other)
    )
    every = ir.Route(
        name="every",
        identity="every",
        match=ir.Match(path=ir.PathMatch(kind=ir.PathKind.PREFIX, value="/")),
        action=ir.Split(members=members),
        source=SOURCE,
    )
    host = ir.VirtualHost(name="app", domains=("svc.test",), routes=(every,), source=SOURCE)
    endpoint = ir.Endpoint(address="127.0.0.1", port=port)
    return ir.Proxy(
        name="proxy",
        listeners=(ir.Listener(name="l", address="::", port=8080, routes="r", source=None),),
        route_configurations=(ir.RouteConfiguration(name="r", virtual_hosts=(host,)),),
        clusters=tuple(
            ir.Cluster(name=name, discovery=ir.StaticHosts(endpoints=(endpoint,)), source=SOURCE)
            for name in sorted((one, other))
        ),
        load_assignments=(),
    )

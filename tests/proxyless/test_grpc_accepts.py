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
        clusters = snapshot.resources(CLUSTER) | {"bad": envoys.resources(CLUSTER)["bad"]}
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


V1, V2 = (("version", "v1"),), (("version", "v2"),)
SAY, WAIT, FLAKY = "/demo.Echo/Say", "/demo.Echo/Wait", "/demo.Echo/Flaky"
NO_ROUTE = "UNAVAILABLE: No matching route found in xDS route config"
NO_CALL = "UNAVAILABLE: Matching route has inappropriate action"

NO_ENDPOINT = (
    "UNAVAILABLE: no children in weighted_target policy (EDS resource {}: contains no localities)"
)


def forward(cluster="static", subset=()):
    return ir.Forward(destination=ir.Destination(cluster=cluster, subset=subset))


def present(name):
    return {"headers": (ir.HeaderMatch(name=name, kind=ir.ValueKind.PRESENT),)}


def case(action=None, *, path="/", kind="prefix", any_case=False, options=None, **match):
    """The fields of the only route of a virtual host."""
    return {
        "match": ir.Match(
            path=ir.PathMatch(kind=ir.PathKind(kind), value=path, case_sensitive=not any_case),
            **match,
        ),
        "action": action or forward(subset=V1),
        "options": options or ir.Options(),
    }


RETRIES = ir.RetryPolicy(retry_on="5xx,unavailable", num_retries=2)
FIELDS = {
    "prefix": (case(path="/demo."), SAY, "v1"),
    "exact": (case(path=SAY, kind="exact"), SAY, "v1"),
    "expression": (case(path="/demo[.].*/S.y", kind="regex"), SAY, "v1"),
    "any-case": (case(path="/DEMO.", any_case=True), SAY, "v1"),
    "other-case": (case(path="/DEMO."), SAY, NO_ROUTE),
    "header": (case(**present("x-here")), SAY, "v1"),
    "no-header": (case(**present("x-there")), SAY, NO_ROUTE),
    "content-type": (case(**present("content-type")), SAY, "v1"),
    "path-header": (case(**present(":path")), SAY, "v1"),
    "binary-header": (case(**present("x-here-bin")), SAY, NO_ROUTE),
    "te": (case(**present("te")), SAY, NO_ROUTE),
    "user-agent": (case(**present("user-agent")), SAY, NO_ROUTE),
    "authority": (case(**present(":authority")), SAY, NO_ROUTE),
    "scheme": (case(**present(":scheme")), SAY, NO_ROUTE),
    "method": (case(**present(":method")), SAY, "v1"),
    "methods": (case(methods=("GET", "POST")), SAY, "v1"),
    "other-methods": (case(methods=("GET",)), SAY, NO_ROUTE),
    "query": (
        case(query=(ir.QueryMatch(name="q", kind=ir.ValueKind.PRESENT),)),
        SAY,
        NO_ROUTE,
    ),
    "subset": (case(forward(subset=V2)), SAY, "v2"),
    "no-subset": (
        case(forward(subset=(("version", "v3"),))),
        SAY,
        NO_ENDPOINT.format("static?version=v3"),
    ),
    "socket": (
        case(forward("pipe")),
        SAY,
        NO_ENDPOINT.format("pipe"),
    ),
    "direct-response": (case(ir.DirectResponse(status=200, body="x")), SAY, NO_CALL),
    "redirect": (case(ir.Redirect(host="x.test")), SAY, NO_CALL),
    "timeout": (case(options=ir.Options(timeout=100_000_000)), WAIT, "v1"),
    "rewrite": (case(options=ir.Options(prefix_rewrite="/x")), SAY, "v1"),
    "retries": (case(options=ir.Options(retries=RETRIES)), FLAKY, "v1"),
    "no-retries": (
        case(options=ir.Options(retries=replace(RETRIES, num_retries=0))),
        FLAKY,
        "UNAVAILABLE: flaky",
    ),
}


def test_what_becomes_of_each_field(tmp_path):
    """The table of docs/grpc.md is what gRPC's client does, and none of it is refused."""
    with (
        Judge().serving() as judge,
        GrpcBackend("v1") as one,
        GrpcBackend("v2") as two,
        GrpcClient(tmp_path, judge.port) as client,
    ):
        judge.publish(emit_proxyless(proxyless(every_field(one.port, two.port))))

        actual = {
            name: client.say(
                f"xds:///{name}.test", method, metadata={"x-here": "1", "x-here-bin": "1"}
            )
            for name, (_, method, _) in FIELDS.items()
        }
        weighted, named, shared = (
            client.ask(f"xds:///{name}.test", count=400) for name in ("weighted", "named", "shared")
        )

        assert {name: expected for name, (_, _, expected) in FIELDS.items()} == actual
        # Three of four calls, and seven of ten: about 300 and 280.
        assert {"v1", "v2"} == set(weighted)
        assert 240 < weighted["v1"] < 360
        assert {"v1", "v2"} == set(named)
        assert 240 < named["v1"] < 360
        assert {"v1", NO_CALL} == set(shared)
        assert 220 < shared["v1"] < 340
        assert [] == judge.refused


def every_field(one, two):
    """A proxy with a virtual host for each case, and some whose calls are counted."""
    hosts = {name: [fields] for name, (fields, _, _) in FIELDS.items()} | {
        "weighted": [case(forward("weighted"))],
        "named": [case(forward("named"))],
        "shared": [case(ir.DirectResponse(status=404), share=300_000), case()],
    }
    unequal = [("127.0.0.1", one, 3), ("127.0.0.1", two, None)]
    discoveries = {
        "named": ir.DnsHosts(endpoints=endpoints(("localhost", one, 3), ("localhost", two, None))),
        "pipe": ir.Pipe(path="/run/x"),
        "static": ir.StaticHosts(
            endpoints=(
                ir.Endpoint(address="127.0.0.1", port=one, labels=V1),
                ir.Endpoint(address="127.0.0.1", port=two, labels=V2),
            )
        ),
        "weighted": ir.StaticHosts(endpoints=endpoints(*unequal)),
    }
    subsets = ir.Subsets(
        selectors=(ir.SubsetSelector(keys=("version",)),), fallback=ir.FallbackPolicy.NO_FALLBACK
    )
    return ir.Proxy(
        name="proxy",
        listeners=(ir.Listener(name="l", address="::", port=8080, routes="r", source=None),),
        route_configurations=(
            ir.RouteConfiguration(
                name="r",
                virtual_hosts=tuple(
                    ir.VirtualHost(
                        name=name,
                        domains=(f"{name}.test",),
                        routes=tuple(
                            ir.Route(name="r", identity="r", source=SOURCE, **fields)
                            for fields in routes
                        ),
                        source=SOURCE,
                    )
                    for name, routes in sorted(hosts.items())
                ),
            ),
        ),
        clusters=tuple(
            ir.Cluster(
                name=name,
                discovery=discovery,
                subsets=subsets if name == "static" else None,
                source=SOURCE,
            )
            for name, discovery in sorted(discoveries.items())
        ),
        load_assignments=(),
    )


def endpoints(*hosts):
    return tuple(
        ir.Endpoint(address=address, port=port, weight=weight) for address, port, weight in hosts
    )

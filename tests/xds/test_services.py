"""Streams of a single type: the machines by table, the services over real gRPC."""

import re
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from conversation import CDS, EDS, LDS, RDS, SDS, Delta, Sotw, said, world
from serving import REQUESTS, Serving, asynchronous, protocols, resource, slow, snapshot, until

from xds import messages
from xds.services import METHODS
from xds.snapshot import Snapshot
from xds.testing import FakeEnvoy

PACKAGES = {CDS: "cluster", EDS: "endpoint", LDS: "listener", RDS: "route", SDS: "secret"}
NAMES = {CDS: (), EDS: ("a",), LDS: (), RDS: ("r",), SDS: ("s",)}

both = pytest.mark.parametrize("make", [Sotw, Delta])
types = pytest.mark.parametrize("type_url", list(PACKAGES), ids=PACKAGES.get)

A = world("a", routes={"r": "a"})
EVERYTHING = Snapshot.of(
    [
        *(each for kind in (CDS, EDS, LDS, RDS) for each in A.resources(kind).values()),
        resource(SDS, "s"),
    ]
)


@types
def test_rule_7_methods_are_those_of_envoy(type_url):
    """Each service has the names that Envoy calls, but for the methods of REST."""
    package = f"envoy.service.{PACKAGES[type_url]}.v3"
    library = Path(find_spec("envoy_data_plane").origin).parent
    source = (library / package.replace(".", "/") / "__init__.py").read_text()
    called = set(re.findall(rf'"(/{package}\.\w+DiscoveryService/(?:Stream|Delta)\w+)"', source))

    served = {method.path for method in METHODS if method.type_url == type_url}

    assert {each for each in called if not re.search("Scoped|Virtual|Locality", each)} == served
    assert len(served) == 2


@both
@types
def test_rule_7_a_stream_carries_one_type(make, type_url):
    """Whatever changes, a stream of one type is sent that type, and no endpoints unasked."""
    client = make(EVERYTHING, only=type_url)
    edits = {f"{kind} {name}": "2" for kind in ("CDS", "EDS", "LDS", "RDS") for name in "alr"}

    first = client.ask(type_url, *NAMES[type_url])
    verdicts = [after for r in first for after in client.ack(r, *NAMES[type_url])]
    changed = client.publish(world("a b", routes={"r": "a b"}, edits=edits))

    assert [type_url] == [r.type_url for r in first]
    assert [] == verdicts
    assert {type_url} >= {r.type_url for r in changed}
    assert changed or type_url == SDS
    assert [type_url] == [state.type_url for state in client.stream.state()]


@both
@pytest.mark.parametrize(("type_url", "names"), [(LDS, []), (RDS, ["r"])])
def test_rule_37_no_barrier_on_clusters_of_another_stream(make, type_url, names):
    """Listeners and routes do not wait for clusters of which their stream will never hear."""
    client = make(A, only=type_url)
    [response] = client.ask(type_url, *names)
    client.ack(response, *names)

    edits = {"LDS l": "2"}
    changed = client.publish(world("a b", routes={"r": "a b"}, edits=edits))

    assert [type_url] == [r.type_url for r in changed]
    assert client.stream.deadline is None


@both
def test_rule_37_removed_clusters_go_at_once(make):
    """A stream of clusters hears of no routes, so that nothing is there to wait for."""
    client = make(world("a b", routes={"r": "a b"}), only=CDS)
    [clusters] = client.ask(CDS)
    client.ack(clusters)

    removed = client.publish(A)

    assert [{Sotw: "CDS a", Delta: "CDS -b"}[make]] == said(removed)
    assert client.stream.deadline is None


@both
def test_rule_37_endpoints_of_a_changed_cluster(make):
    """A changed cluster brings its endpoints again on their own stream: their version says so."""
    client = make(A, only=EDS)
    [endpoints] = client.ask(EDS, "a")
    client.ack(endpoints, "a")

    again = client.publish(world("a", routes={"r": "a"}, edits={"CDS a": "2"}))

    assert ["EDS a"] == said(again)
    assert endpoints.resources[0].body == again[0].resources[0].body


@both
def test_rule_37_each_name_on_a_stream_of_its_own(make):
    """Streams for single names are independent: each hears of its own, known or unknown."""
    streams = {name: make(world("a b"), only=EDS) for name in ("a", "b", "c")}
    firsts = {name: client.ask(EDS, name) for name, client in streams.items()}
    for name, client in streams.items():
        for response in firsts[name]:
            client.ack(response, name)

    news = world("a b c", edits={"EDS b": "2"})
    then = {name: said(client.publish(news)) for name, client in streams.items()}

    unknown = {Sotw: "EDS c", Delta: "EDS -c"}[make]
    assert {"a": ["EDS a"], "b": ["EDS b"], "c": [unknown]} == {
        name: said(first) for name, first in firsts.items()
    }
    assert {"a": [], "b": ["EDS b"], "c": ["EDS c"]} == then


def full():
    given = snapshot("a")
    return Snapshot.of(
        [r for kind in given.types() for r in given.resources(kind).values()] + [resource(SDS, "s")]
    )


@slow
@protocols
@types
@asynchronous
async def test_rule_7_type_comes_from_the_method(protocol, type_url):
    """A client need not tell the type on a stream of its own; it gets that type and is seen."""
    async with (
        Serving(proxies={"p": full()}) as serving,
        FakeEnvoy(serving.port, protocol=protocol, only=type_url) as envoy,
    ):
        await envoy.subscribe(type_url, *NAMES[type_url])
        response = await envoy.expect(type_url)
        await envoy.ack(response)
        await until(lambda: any(each.startswith("acked") for each in serving.seen.events))
        await envoy.expect_silence(seconds=0.05)
        [status] = serving.server.streams()

    assert {*NAMES[type_url]} <= response.resources.keys()
    assert type_url == status.stream.type_url
    assert [type_url] == [state.type_url for state in status.types]


@slow
@protocols
@types
@pytest.mark.parametrize("late", [False, True])
@asynchronous
async def test_rule_7_another_type_is_refused(protocol, type_url, late):
    """A request for another type than that of its method ends the stream as invalid."""
    other = {CDS: RDS}.get(type_url, CDS)
    request = messages.build(
        f"envoy.service.discovery.v3.{REQUESTS[protocol]}", type_url=other, node={"id": "envoy-1"}
    )
    async with (
        Serving(proxies={"p": full()}) as serving,
        FakeEnvoy(serving.port, protocol=protocol, only=type_url) as envoy,
    ):
        if late:
            await envoy.subscribe(type_url, *NAMES[type_url])
            await envoy.expect(type_url)
        await envoy.send(messages.encode(request))
        code, details = await envoy.closed()

    assert grpc.StatusCode.INVALID_ARGUMENT == code
    assert f"carries no {other}" in details


@slow
@asynchronous
async def test_rule_77_rest_is_not_served():
    """The methods for REST do not exist."""
    async with Serving() as serving, grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as to:
        fetch = to.unary_unary("/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fetch(b"")

    assert grpc.StatusCode.UNIMPLEMENTED == caught.value.code()


@slow
@protocols
@asynchronous
async def test_rule_37_streams_of_one_client(protocol):
    """A client without ADS gets everything, each type and each name on its own stream."""
    async with (
        Serving(proxies={"p": snapshot("a", "b")}) as serving,
        FakeEnvoy(serving.port, protocol=protocol, only=CDS) as clusters,
        FakeEnvoy(serving.port, protocol=protocol, only=EDS) as one,
        FakeEnvoy(serving.port, protocol=protocol, only=EDS) as other,
        FakeEnvoy(serving.port, protocol=protocol, only=RDS) as routes,
    ):
        await clusters.subscribe(CDS)
        await one.subscribe(EDS, "a")
        await other.subscribe(EDS, "b")
        await routes.subscribe(RDS, "r")
        got = [
            tuple((await client.expect(kind)).resources)
            for client, kind in ((clusters, CDS), (one, EDS), (other, EDS), (routes, RDS))
        ]
        kinds = [status.stream.type_url for status in serving.server.streams()]

    assert [("a", "b"), ("a",), ("b",), ("r",)] == got
    assert sorted([CDS, EDS, EDS, RDS]) == sorted(kinds)

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from penstock.connections import Connections, Standing, standing
from penstock.convergence import Convergence
from penstock.eventlog import EventLog
from penstock.events import (
    ProxyConverged,
    ProxyPublished,
    RequestsSlowed,
    ResourceChanges,
    SourceRecovered,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    UpdateAccepted,
    UpdateRejected,
    UpdateSent,
    WriteStalled,
)
from penstock.feed import Feed
from penstock.measures import type_label
from penstock.metrics import Metrics
from penstock.state import Publication
from translator import ir
from xds.delivery import Rejection
from xds.discovery import Node
from xds.exchange import TypeState
from xds.observer import StreamInfo
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

NODE = Node(id="edge", cluster="", metadata={}, user_agent="envoy", version="1.40.0")


def event(number):
    return SourceRecovered(source="config", seconds=number)


def stream(number, proxy="a", only=""):
    return StreamInfo(
        id=number,
        node=NODE,
        proxy=proxy,
        protocol="sotw",
        peer="",
        connected_at=0.0,
        type_url=only,
    )


def test_a_slow_subscriber_loses_the_oldest():
    """Events wait for whoever takes them, up to a bound; then the oldest are dropped."""

    async def main():
        feed = Feed()
        with feed.subscribe(capacity=2) as subscription:
            for number in range(5):
                feed.publish(event(number))

            assert [3, 4] == [(await anext(subscription)).seconds for _ in range(2)]
            assert 3 == subscription.dropped

        feed.publish(event(5))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.01)

    asyncio.run(main())


def test_everybody_hears_in_the_same_order():
    """What a listener says because of an event comes after it, for earlier listeners too."""
    feed = Feed()
    first, last = [], []

    def answer(heard):
        if heard.seconds < 3:
            feed.publish(event(heard.seconds + 1))

    feed.listen(lambda heard: first.append(heard.seconds))
    feed.listen(answer)
    feed.listen(lambda heard: last.append(heard.seconds))
    feed.publish(event(0))

    assert [0, 1, 2, 3] == first == last


def resource(name, body=b"new"):
    return Resource.of(CLUSTER, name, body)


SNAPSHOT = Snapshot.of([resource("one"), resource("two")])
PUBLISHED = ProxyPublished(
    publication=Publication(
        proxy=ir.Proxy(
            name="a", listeners=(), route_configurations=(), clusters=(), load_assignments=()
        ),
        snapshot=SNAPSHOT,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        generation=2,
        noticed=100.0,
    ),
    changes=(
        ResourceChanges(type_url=CLUSTER, added=("one",), changed=("two",), removed=("three",)),
    ),
)


def accept(number, *names, body=b"new", proxy="a"):
    return UpdateAccepted(
        stream=stream(number, proxy),
        type_url=CLUSTER,
        versions={name: resource(name, body).version for name in names},
        seconds=0.1,
    )


@pytest.mark.parametrize(
    ("events", "envoys"),
    [
        ([accept(1, "one", "two"), accept(2, "one", "two")], [2]),
        ([accept(1, "one"), accept(2, "one", "two"), accept(1, "two")], [2]),
        ([accept(1, "one", "two")], []),
        ([accept(1, "one", "two"), accept(1, "one", "two")], []),
        ([accept(1, "one", "two"), accept(2, "one"), accept(2, "two", body=b"old")], []),
        ([accept(1, "one", "two"), StreamClosed(stream=stream(2), reason="")], [1]),
        ([StreamClosed(stream=stream(number), reason="") for number in (1, 2)], []),
        ([accept(3, "one", "two", proxy="b")], []),
        ([StreamOpened(stream=stream(4)), accept(1, "one", "two"), accept(2, "one", "two")], [2]),
    ],
)
def test_a_change_has_arrived_when_everybody_took_it(events, envoys):
    """A change has converged when each Envoy that was there has accepted all of it, or has gone."""
    feed = Feed()
    heard = []
    feed.listen(heard.append)
    feed.listen(Convergence(feed, lambda: 100.5).take)
    for before in (stream(1), stream(2), stream(3, "b")):
        feed.publish(StreamOpened(stream=before))
    feed.publish(PUBLISHED)
    for each in events:
        feed.publish(each)

    converged = [each for each in heard if isinstance(each, ProxyConverged)]
    assert envoys == [each.envoys for each in converged]
    assert [0.5] * len(envoys) == [each.seconds for each in converged]


@pytest.mark.parametrize(
    ("types", "before", "after", "envoys"),
    [
        ([CLUSTER, ROUTE_CONFIGURATION], {}, {1: ["one", "two"]}, [1]),
        ([CLUSTER], {}, {1: ["one"]}, []),
        ([ROUTE_CONFIGURATION], {}, {}, []),
        ([LOAD_ASSIGNMENT, LOAD_ASSIGNMENT], {1: ["three"], 2: ["four"]}, {1: ["three"]}, []),
        (
            [LOAD_ASSIGNMENT, LOAD_ASSIGNMENT, LOAD_ASSIGNMENT],
            {1: ["three"], 2: ["four"], 3: ["five"]},
            {1: ["three"], 2: ["four"]},
            [1],
        ),
    ],
)
def test_convergence_without_ads(types, before, after, envoys):
    """A stream of a single type is waited for with what concerns it; an Envoy counts once."""
    news = {CLUSTER: ("one", "two"), LOAD_ASSIGNMENT: ("three", "four")}
    made = Snapshot.of(
        Resource.of(kind, name, b"new") for kind, names in news.items() for name in names
    )
    published = replace(
        PUBLISHED,
        publication=replace(PUBLISHED.publication, snapshot=made),
        changes=tuple(
            ResourceChanges(type_url=kind, added=(), changed=names, removed=())
            for kind, names in news.items()
        ),
    )
    streams = {number: stream(number, only=only) for number, only in enumerate(types, 1)}
    feed = Feed()
    heard = []
    feed.listen(heard.append)
    feed.listen(Convergence(feed, lambda: 100.5).take)

    def accepts(names, version):
        for number, accepted in names.items():
            kind = types[number - 1]
            versions = {name: version or made.get(kind, name).version for name in accepted}
            feed.publish(
                UpdateAccepted(
                    stream=streams[number], type_url=kind, versions=versions, seconds=0.1
                )
            )

    for each in streams.values():
        feed.publish(StreamOpened(stream=each))
    accepts(before, "old")
    feed.publish(published)
    accepts(after, "")

    assert envoys == [each.envoys for each in heard if isinstance(each, ProxyConverged)]


def test_limits_are_counted_and_logged():
    """What limits do to an Envoy is a metric and a warning in the log."""
    metrics = Metrics(CollectorRegistry())
    with capture_logs() as logged:
        log = EventLog(str)
        for each in (
            StreamRefused(peer="ipv4:1", reason="too many", code="RESOURCE_EXHAUSTED"),
            RequestsSlowed(stream=stream(1)),
            WriteStalled(stream=stream(1), type_url=CLUSTER),
        ):
            metrics.take(each)
            log.take(each)
    metrics.take(UpdateSent(stream=stream(1), type_url=CLUSTER, size=5_000_000))

    assert {
        'penstock_xds_streams_refused_total{code="RESOURCE_EXHAUSTED"} 1.0',
        "penstock_xds_streams_slowed_total 1.0",
        'penstock_xds_writes_stalled_total{type="envoy.config.cluster.v3.Cluster"} 1.0',
        'penstock_xds_response_bytes_bucket{le="4e+06",type="envoy.config.cluster.v3.Cluster"} 0.0',
        'penstock_xds_response_bytes_bucket{le="1e+07",type="envoy.config.cluster.v3.Cluster"} 1.0',
    } <= set(metrics.text().decode().splitlines())
    assert ["stream_refused", "requests_slowed", "write_stalled"] == [
        each["event"] for each in logged
    ]
    assert {"warning"} == {each["log_level"] for each in logged}


def test_streams_of_one_envoy():
    """With ADS each stream is a client; without, all streams of a node on one connection are."""
    with_ads = [stream(number) for number in (1, 2)]
    without = [stream(number, only=CLUSTER) for number in (3, 4)]

    assert [2, 1] == [len({each.client for each in streams}) for streams in (with_ads, without)]


def type_state(*, sent="1", acked="1", pending=False, rejection=None):
    return TypeState(
        type_url=CLUSTER,
        wildcard=True,
        subscribed=1,
        sent_version=sent,
        acked_version=acked,
        pending=pending,
        rejection=rejection,
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (type_state(), Standing.SYNCED),
        (type_state(sent="2"), Standing.STALE),
        (type_state(pending=True), Standing.STALE),
        (
            type_state(sent="2", rejection=Rejection(version="2", names=(), text="", at=0)),
            Standing.REJECTED,
        ),
    ],
)
def test_where_an_envoy_stands(state, expected):
    """A refusal is never hidden behind the next attempt."""
    assert expected == standing(state)


def test_since_when_an_envoy_stands_there():
    """A standing that is confirmed keeps its time; a refused Envoy is refused until it accepts."""
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    minute = timedelta(minutes=1)
    connections = Connections(lambda: clock)
    sent = UpdateSent(stream=stream(1), type_url=CLUSTER, size=1)
    refused = UpdateRejected(stream=stream(1), type_url=CLUSTER, versions={}, text="")
    accepted = accept(1, "one")
    connections.take(StreamOpened(stream=stream(1)))
    found = []
    for each in (sent, accepted, sent, refused, sent, refused, accepted, accepted):
        connections.take(each)
        found.append((connections.since(1, CLUSTER) - datetime(2026, 1, 1, tzinfo=UTC)) // minute)
        clock += minute

    assert [0, 1, 2, 3, 3, 3, 6, 6] == found

    connections.take(StreamClosed(stream=stream(1), reason=""))

    assert connections.since(1, CLUSTER) is None


def test_labels_are_bounded():
    """Whatever types clients ask for, they do not become metrics."""
    assert "envoy.config.route.v3.RouteConfiguration" == type_label(ROUTE_CONFIGURATION)
    assert "other" == type_label("type.googleapis.com/anything")

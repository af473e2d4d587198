"""A server on loopback, and what its tests have in common."""

import asyncio
import functools

import pytest

from xds import messages
from xds.cache import SnapshotCache
from xds.observer import Observer
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION, SECRET

REQUESTS = {"sotw": "DiscoveryRequest", "delta": "DeltaDiscoveryRequest"}
FULL_NAMES = {
    url: url.rpartition("/")[2]
    for url in (CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION, SECRET)
}


def resource(type_url, name, *, requires=(), **fields):
    key = "cluster_name" if type_url == LOAD_ASSIGNMENT else "name"
    message = messages.build(FULL_NAMES[type_url], **{key: name}, **fields)
    return Resource.of(type_url, name, messages.encode(message), requires=requires)


def snapshot(*clusters, weight=1, listener=""):
    return Snapshot.of(
        [
            *(resource(CLUSTER, name, requires=[name]) for name in clusters),
            *(resource(LOAD_ASSIGNMENT, name) for name in clusters),
            resource(LISTENER, "l", requires=["r"], stat_prefix=listener),
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

    def stream_refused(self, peer, reason, *, code):
        self.events.append(f"refused: {reason}")

    def requests_slowed(self, stream):
        self.events.append("slowed")

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

    def __init__(self, *, synced=True, proxies=None, limits=None):
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
            limits=limits,
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


def large(text):
    """Make a snapshot with a response that does not fit into any window of flow control."""
    body = text * (16 * 1024 * 1024 // len(text))
    routes = messages.build(
        FULL_NAMES[ROUTE_CONFIGURATION], name="r", request_headers_to_remove=[body]
    )
    return Snapshot.of([Resource.of(ROUTE_CONFIGURATION, "r", messages.encode(routes))])


def errors(caplog):
    """List the errors of a test's own loop: gRPC's one poller may still call another test's."""
    messages = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    return [message for message in messages if "PollerCompletionQueue" not in message]

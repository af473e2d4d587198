"""When gRPC clients are served what, without gRPC."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from penstock.audience import grpc_audience, is_grpc, proxy_name
from penstock.events import GrpcPublished, ReloadFinished, StreamOpened, TranslationFailed
from penstock.feed import Feed
from penstock.proxyless import ProxylessServing
from penstock.serve import audience_of
from penstock.state import Publication, Reload, Result, State
from translator import ir
from translator.emit.proxyless import proxyless
from xds.discovery import Node
from xds.observer import StreamInfo
from xds.snapshot import Snapshot
from xds.types import LISTENER

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(agent, cluster=""):
    return Node(id="n", cluster=cluster, metadata={}, user_agent=agent, version="")


def proxy(name, *domains):
    source = ir.Source(kind="VirtualService", namespace="ns", name="app")
    host = ir.VirtualHost(name="h", domains=domains, routes=(), source=source)
    return ir.Proxy(
        name=name,
        listeners=(ir.Listener(name="l", address="::", port=80, routes="r", source=None),),
        route_configurations=(ir.RouteConfiguration(name="r", virtual_hosts=(host,)),),
        clusters=(),
        load_assignments=(),
    )


class World:
    """A controller's state, a cache and a feed, with what came of them."""

    def __init__(self):
        self.state = State()
        self.served: dict[str, Snapshot] = {}
        self.rewritten: list[str] = []
        self.feed = Feed()
        self.serving = ProxylessServing(
            state=lambda: self.state, served=self, feed=self.feed, proxyless=self.rewrite
        )
        self.feed.listen(self.serving.take)

    def set(self, key, snapshot):
        self.served[key] = snapshot

    def rewrite(self, proxy, previous):
        self.rewritten.append(proxy.name)
        if proxy.name == "bug":
            raise RuntimeError("ours")
        return proxyless(proxy, previous)

    def serve(self, *proxies, loaded=False):
        self.state = State(
            proxies={
                it.name: Publication(
                    proxy=it,
                    snapshot=Snapshot.of(()),
                    since=NOW,
                    generation=1,
                    noticed=0.0,
                    loaded=loaded,
                )
                for it in proxies
            }
        )
        reload = Reload(result=Result.PUBLISHED, at=NOW, seconds=0.0)
        self.feed.publish(ReloadFinished(reload=reload, new=(), gone=()))

    def connect(self, proxy, agent="gRPC C-core linux"):
        stream = StreamInfo(
            id=1,
            node=node(agent),
            proxy=audience_of(node(agent, proxy), self.state.proxies),
            protocol="sotw",
            peer="",
            connected_at=0.0,
        )
        self.feed.publish(StreamOpened(stream=stream))

    def names(self, proxy):
        return list(self.served[grpc_audience(proxy)].resources(LISTENER))


@asynccontextmanager
async def running():
    world = World()
    task = asyncio.create_task(world.serving.run())
    try:
        with world.feed.subscribe() as world.events:
            yield world
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(world, kind):
    async with asyncio.timeout(5):
        async for event in world.events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


@pytest.mark.parametrize(
    ("agent", "grpc"),
    [
        ("gRPC C-core linux Python", True),
        ("gRPC Go", True),
        ("gRPC Java", True),
        ("gRPC Node Pure JS", True),
        ("envoy", False),
        ("fake", False),
        ("", False),
    ],
)
def test_rule_17_who_is_a_grpc_client(agent, grpc):
    """A client is told by its user agent, and belongs to the same proxy either way."""
    audience = audience_of(node(agent, "edge"), {"edge"})

    assert grpc is is_grpc(audience)
    assert "edge" == proxy_name(audience)


def test_envoys_cause_no_work():
    """Without a gRPC client nothing is emitted for any, however often the source changes."""

    async def main():
        async with running() as world:
            world.serve(proxy("a", "one.test"))
            world.connect("a", agent="envoy")
            world.serve(proxy("a", "two.test"))
            world.serve(proxy("a", "two.test"), proxy("b", "b.test"))
            world.connect("b")
            await until(world, GrpcPublished)

            assert ["b"] == world.rewritten

    asyncio.run(main())


def test_edits_are_followed():
    """From the first client on each change is emitted, and what is the same is not."""

    async def main():
        async with running() as world:
            world.serve(proxy("a", "one.test"))
            world.connect("a")
            await until(world, GrpcPublished)
            assert ["one.test", "one.test:80"] == world.names("a")

            world.serve(proxy("a", "one.test"))
            world.serve(proxy("a", "two.test:1"))
            event = await until(world, GrpcPublished)

            assert ["two.test:1"] == world.names("a")
            assert event.snapshot is world.serving.snapshot("a")
            assert ["a", "a"] == world.rewritten

    asyncio.run(main())


def test_what_was_kept_is_waited_for():
    """After a restart only the bytes for Envoys are there; the first translation has the rest."""

    async def main():
        async with running() as world:
            world.serve(proxy("a"), loaded=True)
            world.connect("a")
            await asyncio.sleep(0)
            assert {} == world.served

            world.serve(proxy("a", "one.test"))
            await until(world, GrpcPublished)

            assert ["one.test", "one.test:80"] == world.names("a")
            assert ["a"] == world.rewritten

    asyncio.run(main())


def test_a_bug_of_ours_is_told_once():
    """What cannot be emitted is reported and not tried again; other proxies are served."""

    async def main():
        async with running() as world:
            world.serve(proxy("bug", "x.test"), proxy("fine", "y.test"))
            world.connect("bug")
            failure = await until(world, TranslationFailed)
            world.connect("fine")
            await until(world, GrpcPublished)

            assert ("bug", "ours") == (failure.proxy, str(failure.error))
            assert ["bug", "fine"] == world.rewritten
            assert {grpc_audience("fine")} == set(world.served)
            assert world.serving.snapshot("bug") is None

    asyncio.run(main())

"""
Many clusters: what they hold in memory, and what it costs to send the one that has changed.

The server has a process of its own, with clusters made by hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from served_load import obey, serving
from support.handmade import cluster, endpoints

from benchmarks import raw_server
from benchmarks.clocks import cpu, settle
from benchmarks.figures import Figure
from benchmarks.stream import Stream
from translator import ir
from translator.emit import emit
from xds.cache import SnapshotCache
from xds.server import AdsServer
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LOAD_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.effort import Effort

_MARKS = {"delta": 5.0, "sotw": 20.0}


def run(effort: Effort) -> Iterator[Figure]:
    yield from _memory(effort)
    for protocol in _MARKS:
        yield from _change(effort, protocol)


def _memory(effort: Effort) -> Iterator[Figure]:
    with serving(effort.clusters, by=serve) as server:
        # One cluster and one client before, for what is loaded when it is first needed.
        server.ask("fill by hand", 1)
        with Stream(server.port, server.pid) as stream:
            _subscribe(stream, "delta")
        settle(server.pid)
        idle = server.ask("rss")
        size = server.ask("fill by hand", effort.clusters) / 1024
        full = server.ask("rss")
        with Stream(server.port, server.pid) as stream:
            _subscribe(stream, "delta")
            settle(server.pid)
            served = server.ask("rss")
    for name, value, mark in (
        ("in a snapshot", full - idle, 40.0),
        ("with an Envoy that has them", served - idle, None),
    ):
        yield Figure(
            theme="Memory",
            name=f"{effort.clusters:,} clusters and load assignments {name}",
            unit="MB",
            values=(value / 1024,),
            yardstick="of messages",
            against=(size / 1024,),
            mark=mark if effort.complete else None,
        )


def _change(effort: Effort, protocol: str) -> Iterator[Figure]:
    """Change one cluster again and again, and wait until the client has it."""
    encoding, sending, plain = [], [], []
    with (
        serving(effort.clusters, by=serve) as server,
        serving(0, by=raw_server.serve) as raw,
        Stream(raw.port, raw.pid, protocol) as plainly,
    ):
        server.ask("fill")
        plainly.subscribe(CLUSTER)
        with Stream(server.port, server.pid, protocol) as stream:
            names = _subscribe(stream, protocol)
            for number in range(effort.rounds):
                settle(server.pid)
                before = cpu(server.pid)
                server.ask("change", number)
                ready = cpu(server.pid)
                settle(server.pid)
                calm = cpu(server.pid)
                server.ask("publish")
                received = stream.receive()
                sending.append((received.moment.spent - calm) * 1000)
                encoding.append((ready - before) * 1000)
                stream.accept(received)
                # Its load assignment comes behind, since Envoy waits for it anew.
                stream.accept(stream.receive(), *names)
                before = cpu(raw.pid)
                raw.ask("write", received.payload)
                plain.append((plainly.receive().moment.spent - before) * 1000)
    for name, values, mark in (
        (f"publish until the last byte, {protocol}", sending, _MARKS[protocol]),
        (f"encode and make the snapshot, {protocol}", encoding, None),
    ):
        yield Figure(
            theme="Server",
            name=f"one of {effort.clusters:,} clusters is changed: {name}, CPU",
            unit="ms",
            values=tuple(values),
            yardstick="raw grpc.aio writing the same bytes",
            against=tuple(plain),
            mark=mark if effort.complete else None,
        )


def _subscribe(stream: Stream, protocol: str) -> tuple[str, ...]:
    """Ask for all clusters and their endpoints, accept them, and return their names."""
    stream.subscribe(CLUSTER)
    response = stream.accept(stream.receive())
    if protocol == "delta":
        names = tuple(each.name for each in response.resources)
    else:
        names = tuple(name(number) for number in range(len(response.resources)))
    stream.subscribe(LOAD_ASSIGNMENT, *names)
    there = 0
    while there < len(names):
        there += len(stream.accept(stream.receive(), *names).resources)
    return names


def name(number: int) -> str:
    return f"app-{number:05}_team-{number // 10}"


def proxy(count: int) -> ir.Proxy:
    """Make a proxy with clusters and their endpoints, and nothing that leads to them."""
    clusters = tuple(
        ir.Cluster(
            name=name(number),
            discovery=ir.EndpointDiscovery(),
            source=ir.Source(kind="Upstream", namespace=f"team-{number // 10}", name="app"),
        )
        for number in range(count)
    )
    return ir.Proxy(
        name="p",
        listeners=(),
        route_configurations=(),
        clusters=clusters,
        load_assignments=tuple(
            ir.LoadAssignment(
                cluster=each.name,
                endpoints=tuple(
                    ir.Endpoint(address="10.0.0.1", port=port) for port in range(8080, 8084)
                ),
            )
            for each in clusters
        ),
    )


async def serve(pipe, count: int, limits) -> None:
    """Serve nothing at first, and clusters when told to."""
    cache = SnapshotCache()
    cache.set("p", Snapshot.of(()))
    cache.mark_synced()
    server = AdsServer(cache, proxy_of=lambda _: "p", identifier="clusters", limits=limits)
    pipe.send(await server.start("127.0.0.1:0"))
    served: tuple[ir.Proxy, Snapshot]

    def answer(*command):
        nonlocal served
        match command:
            case ("fill",):
                made = proxy(count)
                served = (made, emit(made))
                cache.set("p", served[1])
            case ("fill by hand", number):
                return _fill(cache, number)
            case ("change", number):
                served = _changed(served, number)
            case ("publish",):
                cache.set("p", served[1])
        return None

    await obey(pipe, answer)
    await server.drain(0)
    pipe.send(None)


def _fill(cache: SnapshotCache, count: int) -> int:
    """Serve resources of which nothing else is kept, and return the bytes of their messages."""
    resources = [
        resource
        for number in range(count)
        for resource in (
            cluster(name(number), lb_subset_config={"subset_selectors": [{"keys": ["version"]}]}),
            endpoints(name(number), 8080, 8081, 8082, 8083),
        )
    ]
    cache.set("p", Snapshot.of(resources))
    return sum(len(resource.body) for resource in resources)


def _changed(served: tuple[ir.Proxy, Snapshot], number: int) -> tuple[ir.Proxy, Snapshot]:
    """Change one cluster; everything else is the same object, as after an edit."""
    proxy, snapshot = served
    clusters = list(proxy.clusters)
    chosen = number * 37 % len(clusters)
    clusters[chosen] = replace(clusters[chosen], connect_timeout=number + 1)
    changed = replace(proxy, clusters=tuple(clusters))
    return changed, emit(changed, (proxy, snapshot))

"""Saves that follow each other, of which each builds on the one before."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from checkpoints import names, restore, save, summary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy import story
from support import ir_strategies

from penstock.errors import StateUnwritable
from penstock.store import Checkpoint, Store, VerdictRecord, packs
from translator import ir
from translator.policy import WHOLE_KINDS, Good, Memory, Proven, ProxyMemory
from translator.texts import read_file
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION
from xds.verdicts import Content, Refusing, Verdict

pytestmark = pytest.mark.slow
BOUNDED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

PROXY = "edge"
few = st.sampled_from(["a", "b", "c", "d"])
sources = {
    table: ir.Source(kind="RouteTable", namespace="team", name=table) for table in ("x", "y", "z")
}
some_routes = st.lists(
    st.builds(
        replace, ir_strategies.routes, source=st.sampled_from(sorted(sources)).map(sources.get)
    ),
    max_size=4,
).map(tuple)


@dataclass
class World:
    """Everything that there is, and who has accepted what of it."""

    hosts: dict = field(default_factory=dict)
    good: dict = field(default_factory=dict)
    clusters: dict = field(default_factory=dict)
    assignments: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    resources: dict = field(default_factory=dict)
    wire: dict = field(default_factory=dict)
    verdicts: dict = field(default_factory=dict)
    proven: Proven | None = None
    accepted: dict = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=lambda: Snapshot.of(()))
    memory: ProxyMemory | None = None
    record: VerdictRecord = field(default_factory=lambda: VerdictRecord(monotonic=lambda: 0.0))

    def checkpoint(self):
        """Say where it stands; what nobody touched since the last time is the same object."""
        before = self.memory.served if self.memory is not None else None
        proxy = ir.Proxy(
            name=PROXY,
            listeners=(),
            route_configurations=tuple(
                ir.RouteConfiguration(name=name, virtual_hosts=in_order(hosts))
                for name, hosts in sorted(self.hosts.items())
            ),
            clusters=same(before and before.clusters, in_order(self.clusters)),
            load_assignments=same(before and before.load_assignments, in_order(self.assignments)),
        )
        self.memory = ProxyMemory(served=proxy, whole=True, good=dict(self.good))
        snapshot = Snapshot.of(self.wire.values())
        if snapshot != self.snapshot:
            self.snapshot = snapshot
        return Checkpoint(
            snapshots={PROXY: self.snapshot},
            memory=Memory(
                resources={ref: self.resources[ref] for ref in sorted(self.resources)},
                proxies={PROXY: self.memory},
                proven={PROXY: self.proven} if self.proven is not None else {},
            ),
            accepted=dict(self.accepted),
            verdicts=self.record.take(self.verdicts.items()),
        )


def in_order(things):
    return tuple(things[name] for name in sorted(things))


def same(before, now):
    return before if before == now else now


def edit(draw, world):  # noqa: C901, PLR0912 (one case for each kind of edit)
    """Change one thing."""
    name = draw(few)
    match draw(st.integers(0, 11)):
        case 0 | 1:
            hosts = world.hosts.setdefault(draw(st.sampled_from(["one", "two"])), {})
            hosts[name] = ir.VirtualHost(
                name=name, domains=(), routes=draw(some_routes), source=sources["x"]
            )
            world.good[name] = hosts[name].routes
        case 2:
            for hosts in world.hosts.values():
                hosts.pop(name, None)
        case 3:
            # Some of its routes are not good, and others were.
            routes = world.good.get(name, ())
            world.good[name] = (*routes[: draw(st.integers(0, 4))], *draw(some_routes))
        case 4:
            world.good.pop(name, None)
        case 5:
            cluster = draw(ir_strategies.clusters)
            world.clusters[name] = replace(cluster, name=name)
            body = draw(st.binary(max_size=9))
            world.wire[CLUSTER, name] = Resource.of(CLUSTER, name, body, requires=[name])
        case 6:
            assignment = draw(ir_strategies.load_assignments)
            world.assignments[name] = replace(assignment, cluster=name)
            body = draw(st.binary(max_size=9))
            world.wire[LOAD_ASSIGNMENT, name] = Resource.of(LOAD_ASSIGNMENT, name, body)
        case 7:
            world.clusters.pop(name, None)
            world.assignments.pop(name, None)
            world.wire.pop((CLUSTER, name), None)
        case 8:
            requires = draw(st.lists(names, max_size=2))
            world.wire[ROUTE_CONFIGURATION, name] = Resource.of(
                ROUTE_CONFIGURATION, name, draw(st.binary(max_size=50)), requires=requires
            )
        case 9:
            write(world, name, draw(st.lists(few, max_size=3, unique=True)), draw(few))
        case 10:
            judge(draw, world)
        case 11:
            world.accepted[PROXY, draw(st.sampled_from(["", "node x"]))] = world.snapshot
            if world.memory is not None:
                whole = {r: g for r, g in world.resources.items() if r.kind in WHOLE_KINDS}
                world.proven = Proven(proxy=world.memory, resources=whole)


def write(world, name, upstreams, comment):
    """Write upstreams into a file; one that has gone from it may still be needed as it was."""
    origin = f"team-{name}/up.yaml"
    text = "---\n".join(story.upstream(f"{name}{each}") for each in upstreams)
    text = f"# {comment}\n{text}".encode()
    for reading in read_file(origin, text).readings:
        if reading.resource is not None:
            world.resources[reading.ref] = Good(origin=origin, text=text, resource=reading.resource)
    if comment == "d":
        for ref in [ref for ref, good in world.resources.items() if good.text == text]:
            del world.resources[ref]


def judge(draw, world):
    for key, resource in world.wire.items():
        content = Content(*key, resource.content)
        verdict = world.verdicts.get(content, Verdict(first=1.0, last=1.0))
        if draw(st.booleans()):
            said = {"agents": verdict.agents | {draw(few)}, "refused": {}}
        else:
            refusing = Refusing(agent="e", text="no", first=1.0, last=2.0)
            said = {"refused": {**verdict.refused, draw(few): refusing}}
        world.verdicts[content] = replace(verdict, **said)


@st.composite
def series(draw):
    world = World()
    checkpoints = []
    for _ in range(draw(st.integers(1, 5))):
        for _ in range(draw(st.integers(1, 6))):
            edit(draw, world)
        checkpoints.append(world.checkpoint())
    return checkpoints


@pytest.fixture(autouse=True)
def many_buckets_and_a_quick_disk(monkeypatch):
    """Have a few values fill several buckets; nothing in here is about power failures."""
    real = packs._count
    monkeypatch.setattr(packs, "_count", lambda values, _: real(values, 1))
    monkeypatch.setattr(os, "fsync", lambda _: None)


@BOUNDED
@given(series())
def test_what_is_saved_step_by_step_is_what_is_saved_at_once(checkpoints):
    """Nothing on the disk tells how it came about, down to the last object; and it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        stepwise, fresh = Path(folder) / "stepwise", Path(folder) / "fresh"
        save(stepwise, *checkpoints)
        save(fresh, checkpoints[-1])

        assert contents(fresh) == contents(stepwise)
        assert (summary(checkpoints[-1]), ()) == restore(stepwise)


@BOUNDED
@given(series())
def test_a_save_writes_only_what_differs(checkpoints):
    """An object that was there is not touched, and one that is not needed any more goes."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "state"
        store = Store.open(directory)
        store.load()
        before = {}
        for each in checkpoints:
            store.save(each)
            now = {path.name: path.stat().st_ino for path in (directory / "objects").iterdir()}

            assert {
                name: now[name] for name in before.keys() & now.keys()
            }.items() <= before.items()

            before = now
        store.close()


@BOUNDED
@given(series(), st.data())
def test_a_save_that_fails_is_not_built_on(checkpoints, data):
    """The next one is complete, whatever the failed one had already written."""
    real = os.write
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        directory, fresh = Path(folder) / "state", Path(folder) / "fresh"
        store = Store.open(directory)
        store.load()
        left = 0

        def write(*arguments):
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(28, "No space left on device")
            return real(*arguments)

        patch.setattr(os, "write", write)
        for each in checkpoints:
            left = data.draw(st.integers(0, 6))
            with suppress(StateUnwritable):
                store.save(each)
        left = 0
        store.save(checkpoints[-1])
        store.close()
        save(fresh, checkpoints[-1])

        assert contents(fresh) == contents(directory)


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "lock"
    }

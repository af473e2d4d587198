from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from penstock.address import Address
from penstock.events import ReloadFinished, StateDamaged, StateLoaded, StateSaved
from penstock.judgement import Judgement
from penstock.keeper import Keeper
from penstock.serve import Options, running
from penstock.state import State
from penstock.store import Checkpoint, Store
from translator.policy import Memory
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANY = Address("127.0.0.1", 0)
GATEWAY = """\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: edge, namespace: gloo-system}
spec: {bindAddress: 0.0.0.0, bindPort: 8080, proxyNames: [edge], httpGateway: {}}
"""
SERVICE = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes: [{matchers: [{prefix: /}], directResponseAction: {status: 200}}]
"""


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"published": None, "held": [], "findings": {}},
        {"published": {"p": 3}, "held": {"p": 1}, "findings": ["x", [1, 2], []]},
        {"published": {"p": ["never", 0]}, "held": {"p": "never"}},
        {"published": {"p": ["2026-13-01", "1"]}, "findings": [["a", "b", "c", "never"]]},
    ],
)
def test_strange_facts_do_no_harm(tmp_path, facts):
    """What is served does not depend on the small things around it, whoever wrote them."""
    snapshot = Snapshot.of([Resource.of(CLUSTER, "c", b"cluster")])
    store = Store.open(tmp_path)
    store.load()
    store.save(Checkpoint(snapshots={"p": snapshot}, memory=Memory(), facts=facts))
    keeper = Keeper(store)

    loaded = keeper.load(NOW)
    store.close()

    assert {"p": snapshot} == {name: each.snapshot for name, each in loaded.proxies.items()}
    assert (NOW, 1) == (loaded.proxies["p"].since, loaded.proxies["p"].generation)
    assert {} == loaded.held == keeper.since
    assert () == loaded.problems


def test_nothing_is_saved_before_anything_is_known(tmp_path):
    """A bug in the first translation does not replace what an earlier process kept."""
    store = Store.open(tmp_path)
    keeper = Keeper(store)
    keeper.load(NOW)

    saving = keeper.save(State(), Judgement())
    store.close()

    assert ("", False) == (saving.problem, saving.written)
    assert not (tmp_path / "manifest").exists()


def run(config, state):
    """Run the program until the first reload, and return its state and what it told."""

    async def main():
        told = []
        options = Options(config=config, ads=ANY, admin=ANY, state=state)
        async with running(options) as program:
            with program.events() as events:
                async with asyncio.timeout(10):
                    async for event in events:
                        told.append(event)
                        if isinstance(event, ReloadFinished):
                            break
        return program.controller.state, told

    return asyncio.run(main())


@pytest.fixture
def config(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "app.yaml").write_text(SERVICE)
    (config / "gateway.yaml").write_text(GATEWAY)
    return config


@pytest.mark.slow
def test_a_proxy_that_is_deleted_meanwhile_is_emptied(tmp_path, config):
    """A restart keeps what is invalid, not what nobody asks for any more."""
    before, _ = run(config, tmp_path / "state")
    (config / "gateway.yaml").unlink()

    after, _ = run(config, tmp_path / "state")
    again, told = run(config, tmp_path / "state")

    assert ["edge"] == list(before.proxies)
    assert before.proxies["edge"].snapshot.types()
    assert ["edge", "gateway-proxy"] == list(after.proxies) == list(again.proxies)
    assert () == after.proxies["edge"].snapshot.types()
    assert after.generation == again.generation == before.generation + 1
    assert [False] == [event.saving.written for event in told if isinstance(event, StateSaved)]


@pytest.mark.slow
def test_lost_memory_is_told_and_the_rest_is_served(tmp_path, config):
    """Without its last good resources the program goes on with what the folder says."""
    before, _ = run(config, tmp_path / "state")
    for path in (tmp_path / "state" / "objects").iterdir():
        if b"proxyNames" in path.read_bytes():
            path.write_bytes(b"rubbish")

    after, told = run(config, tmp_path / "state")
    (damaged,) = [event for event in told if isinstance(event, StateDamaged)]

    assert ["last good resources are lost"] == [
        problem.partition(":")[0] for problem in damaged.problems
    ]
    assert before.proxies["edge"].snapshot == after.proxies["edge"].snapshot
    assert before.proxies["edge"].since == after.proxies["edge"].since
    assert not [event for event in told if isinstance(event, StateLoaded) and not event.versions]

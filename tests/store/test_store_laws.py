from __future__ import annotations

import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from checkpoints import NOTHING, checkpoint, generated, many, restore, save, summary, tell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy import story

from penstock.store import Checkpoint, Store
from translator import ir
from translator.pipeline import Inputs, restored, translate
from translator.policy import Memory, Proven, ProxyMemory
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LOAD_ASSIGNMENT

pytestmark = pytest.mark.slow
BOUNDED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@BOUNDED
@given(st.lists(generated, min_size=1, max_size=3))
def test_what_is_saved_last_is_loaded(checkpoints):
    """Whatever was saved before, the last checkpoint is there, to the last byte and version."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "state"
        save(directory, *checkpoints)

        loaded, problems = restore(directory)

    assert () == problems
    assert summary(checkpoints[-1]) == loaded


@pytest.mark.parametrize("policy", [story.HOLD, story.REPLACE, story.KEEP])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_story_survives_at_each_step(tmp_path, policy, steps):
    """With real resources too, those included that stand in for broken ones."""
    told = list(tell(policy))[:steps]
    save(tmp_path / "state", *told)

    loaded, problems = restore(tmp_path / "state")

    assert () == problems
    assert summary(told[-1]) == loaded


def test_versions_of_endpoints_survive(tmp_path):
    """The version of endpoints has those of their clusters in it, and is mixed only once."""
    service, pods = story.kube("api", 1, 2)
    now = story.Story(
        gateway__api=service,
        gateway__pods=pods,
        echo__routes=story.table("echo", story.route("/echo", "api", subset="v1")),
    )
    saved = checkpoint(now.now)
    (before,) = saved.snapshots.values()
    save(tmp_path, saved)

    store = Store.open(tmp_path)
    (after,) = store.load().snapshots.values()
    store.close()

    assert before.resources(LOAD_ASSIGNMENT)
    assert before.resources(LOAD_ASSIGNMENT) == after.resources(LOAD_ASSIGNMENT)
    assert before.version_info == after.version_info


@pytest.mark.parametrize("policy", [story.HOLD, story.REPLACE, story.KEEP])
def test_a_restart_changes_no_decision(tmp_path, policy):
    """A translation that builds on the saved memory is the one that would have been made."""
    now = story.Story(policy)
    now.edit(echo__routes=story.table("echo", story.route("/echo", "typo")))
    save(tmp_path, checkpoint(now.now))
    store = Store.open(tmp_path)
    store.load()
    recalled = store.recall()
    store.close()
    files = now.now.inputs.files | {
        "foxtrot/routes.yaml": story.table("foxtrot", story.route("/fox", "foxtrot")).encode()
    }

    running = translate(Inputs(files=files), now.now)
    started = translate(Inputs(files=files), restored(recalled.memory, recalled.files))

    assert running.proxies == started.proxies
    assert running.diagnostics == started.diagnostics
    assert {name: (served.held, served.outcomes) for name, served in running.served.items()} == {
        name: (served.held, served.outcomes) for name, served in started.served.items()
    }


def test_saving_twice_writes_nothing(tmp_path):
    """The same checkpoint again touches no file, in the next process neither."""
    (last,) = list(tell())[2:3]
    save(tmp_path, last)
    before = seen(tmp_path)
    store = Store.open(tmp_path)
    store.load()
    store.recall()

    written = [store.save(last), store.save(last)]
    store.close()

    assert [False, False] == written
    assert before == seen(tmp_path)


def test_an_edit_writes_little(tmp_path):
    """Of many tables, one edit rewrites only the objects that hold it."""
    now = many(200)
    store = Store.open(tmp_path)
    store.load()
    store.save(checkpoint(now.now))
    before = seen(tmp_path)
    now.edit(more__t7=story.table("t7", story.route("/t7", "foxtrot")))

    store.save(checkpoint(now.now))
    store.close()
    after = seen(tmp_path)
    objects = {name for name in before if name.startswith("objects/")}

    assert len(objects) > 15
    # Texts, routes of that table, the route configuration on the wire and a piece of it.
    assert 5 >= len(after.keys() - before.keys())
    # Nothing is left over; a piece may have been cut in two, or two may have become one.
    assert 1 >= abs(len(objects) - sum(name.startswith("objects/") for name in after))


def test_what_was_the_same_object_is_the_same_object_again(tmp_path):
    """The next translation, and the next save, tell by identity what did not change."""
    route = ir.Route(
        name="r",
        identity="r",
        match=ir.Match(path=ir.PathMatch(kind=ir.PathKind.PREFIX, value="/")),
        action=ir.DirectResponse(status=200),
        options=ir.Options(),
        source=ir.Source(kind="RouteTable", namespace="team", name="table"),
    )
    hosts = tuple(
        ir.VirtualHost(name=name, domains=(name,), routes=(route,), source=route.source)
        for name in ("good", "ill")
    )
    proxy = ir.Proxy(
        name="edge",
        listeners=(),
        route_configurations=(ir.RouteConfiguration(name="c", virtual_hosts=hosts),),
        clusters=(),
        load_assignments=(),
    )
    other = replace(route, source=replace(route.source, name="other"))
    memory = ProxyMemory(
        served=proxy, whole=True, good={"good": hosts[0].routes, "ill": (route, other)}
    )
    past = Proven(proxy=replace(memory, whole=False), resources={})
    cluster = Resource.of(CLUSTER, "c", b"cluster")
    snapshot = Snapshot.of([cluster])
    older = Snapshot.of([cluster, Resource.of(CLUSTER, "d", b"gone")])
    save(
        tmp_path,
        Checkpoint(
            snapshots={"edge": snapshot},
            memory=Memory(proxies={"edge": memory}, proven={"edge": past}),
            accepted={("edge", ""): snapshot, ("edge", "older"): older},
        ),
    )
    store = Store.open(tmp_path)
    loaded, recalled = store.load(), store.recall().memory
    store.close()
    good, ill = recalled.proxies["edge"].served.route_configurations[0].virtual_hosts
    proven = recalled.proven["edge"].proxy.served.route_configurations[0].virtual_hosts

    assert recalled.proxies["edge"].good["good"] is good.routes
    assert recalled.proxies["edge"].good["ill"][0] is ill.routes[0]
    assert proven[0].routes[0] is good.routes[0]
    assert loaded.accepted["edge", ""] is loaded.snapshots["edge"]
    assert {"c", "d"} == set(loaded.accepted["edge", "older"].resources(CLUSTER))


def test_nothing_is_left_over(tmp_path):
    """What no longer belongs to the state is gone, drafts too; what is not ours stays."""
    story_ = list(tell())
    save(tmp_path, story_[0])
    (tmp_path / "objects" / ("0" * 64)).write_bytes(b"an old object")
    (tmp_path / "objects" / ("1" * 64 + ".new")).write_bytes(b"a half-written obj")
    (tmp_path / "objects" / "README").write_bytes(b"somebody's")

    save(tmp_path, story_[1])
    left = {path.name for path in (tmp_path / "objects").iterdir()}
    save(tmp_path / "fresh", story_[1])
    fresh = {path.name for path in (tmp_path / "fresh" / "objects").iterdir()}

    assert {*fresh, "README"} == left


def test_files_are_private(tmp_path):
    """Only their owner reads them, and the directory too if we made it."""
    directory = tmp_path / "made" / "state"
    save(directory, next(tell()))

    modes = {
        path.relative_to(directory).parts[0]: stat.S_IMODE(path.stat().st_mode)
        for path in [*directory.rglob("*")]
        if path.is_file()
    }

    assert {"lock": 0o600, "manifest": 0o600, "objects": 0o600} == modes
    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)


def test_a_new_directory_is_empty_and_fine(tmp_path):
    """The first start has nothing to load and nothing to complain about."""
    loaded, problems = restore(tmp_path / "state")

    assert (NOTHING, ()) == (loaded, problems)


def test_what_is_removed_meanwhile_is_written_again(tmp_path):
    """A save heals what somebody deleted, even if nothing changed."""
    last = list(tell())[-1]
    store = Store.open(tmp_path / "state")
    store.load()
    store.save(last)
    for path in sorted((tmp_path / "state").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "state").rmdir()

    written = store.save(last)
    store.close()
    loaded, problems = restore(tmp_path / "state")

    assert written
    assert (summary(last), ()) == (loaded, problems)


def test_a_resource_that_is_no_longer_valid_is_left_out(tmp_path):
    """A version that is stricter than the one that saved says what it cannot use."""
    now = story.Story()
    saved = checkpoint(now.now)
    text = now.now.inputs.files["echo/routes.yaml"]
    worse = text.replace(b"routes:", b"rutes:")
    spoilt = {
        ref: type(good)(
            origin=good.origin,
            text=worse if good.text == text else good.text,
            resource=good.resource,
        )
        for ref, good in saved.memory.resources.items()
    }
    memory = Memory(resources=spoilt, proxies=saved.memory.proxies)
    save(tmp_path, Checkpoint(snapshots=saved.snapshots, memory=memory))

    loaded, problems = restore(tmp_path)

    assert 1 == len(problems)
    assert problems[0].startswith("the last good version of RouteTable echo/routes, from ")
    assert len(spoilt) - 1 == len(loaded["resources"])
    assert summary(saved)["proxies"] == loaded["proxies"]


def seen(directory):
    """Return every file with its identity, to notice any write."""
    return {
        str(path.relative_to(directory)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file() and path.name != "lock"
    }

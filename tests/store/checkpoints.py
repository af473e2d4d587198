"""Checkpoints to save, and what two of them are compared by."""

from __future__ import annotations

from hypothesis import strategies as st
from policy import story
from support import ir_strategies

from penstock.store import Checkpoint, Store
from translator.emit import emit
from translator.policy import Memory, ProxyMemory
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

names = st.text("ab ü:", min_size=1, max_size=4)
resources = st.builds(
    Resource.of,
    st.sampled_from([CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION]),
    names,
    st.binary(max_size=20),
    requires=st.lists(names, max_size=2),
)
snapshots = st.lists(resources, max_size=5, unique_by=lambda each: (each.type_url, each.name)).map(
    Snapshot.of
)


@st.composite
def proxy_memories(draw):
    served = draw(ir_strategies.proxies)
    groups = {
        f"{host.name} {route.identity}": tuple(
            each for each in host.routes if each.identity == route.identity
        )
        for configuration in served.route_configurations
        for host in configuration.virtual_hosts
        for route in host.routes
    }
    good = {key: routes for key, routes in groups.items() if draw(st.integers(0, 3))}
    others = st.lists(ir_strategies.routes, min_size=1, max_size=2).map(tuple)
    good |= draw(st.dictionaries(st.sampled_from([*groups, "a b", "c"]), others, max_size=2))
    return ProxyMemory(served=served, whole=draw(st.booleans()), good=good)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
generated = st.builds(
    Checkpoint,
    snapshots=st.dictionaries(names, snapshots, max_size=2),
    memory=st.builds(Memory, proxies=st.dictionaries(names, proxy_memories(), max_size=2)),
    facts=st.dictionaries(names, plain, max_size=2),
)


def checkpoint(translation, **facts):
    """Return what a program would save after a translation."""
    return Checkpoint(
        snapshots={proxy.name: emit(proxy) for proxy in translation.proxies},
        memory=translation.memory,
        facts=facts,
    )


def tell(policy=story.KEEP):
    """Yield the checkpoints of a story with edits, mistakes and a deletion."""
    now = story.Story(policy)
    yield checkpoint(now.now, step=1)
    now.edit(echo__routes=story.table("echo", story.route("/echo", "typo")))
    yield checkpoint(now.now, step=2, broken="echo")
    now.edit(foxtrot__routes="spec: [")
    yield checkpoint(now.now, step=3, broken="both")
    now.edit(gateway__foxtrot=None)
    yield checkpoint(now.now, step=4)


def many(tables):
    """Return the checkpoint of many tables, so that there are several buckets."""
    extra = {
        f"more__t{number}": story.table(f"t{number}", story.route(f"/t{number}", "echo"))
        for number in range(tables)
    }
    app = story.APP + "".join(
        f"      - matchers: [{{prefix: /t{number}}}]\n"
        f"        delegateAction: {{ref: {{name: routes, namespace: t{number}}}}}\n"
        for number in range(tables)
    )
    return story.Story(gateway__app=app, **extra)


def summary(checkpoint_or_loaded, memory=None):
    """Turn everything that is saved into values that can be compared."""
    memory = checkpoint_or_loaded.memory if memory is None else memory
    return {
        "snapshots": {
            name: {url: dict(snapshot.resources(url)) for url in snapshot.types()}
            for name, snapshot in checkpoint_or_loaded.snapshots.items()
        },
        "versions": {
            name: snapshot.version_info for name, snapshot in checkpoint_or_loaded.snapshots.items()
        },
        "facts": dict(checkpoint_or_loaded.facts),
        "resources": {
            ref: (good.origin, good.text, good.resource.spec, good.resource.labels)
            for ref, good in memory.resources.items()
        },
        "proxies": dict(memory.proxies),
    }


def save(directory, *checkpoints):
    store = Store.open(directory)
    store.load()
    store.recall()
    for each in checkpoints:
        store.save(each)
    store.close()


def restore(directory):
    """Return what is loaded, and all problems."""
    store = Store.open(directory)
    try:
        loaded = store.load()
        recalled = store.recall()
        return summary(loaded, recalled.memory), (*loaded.problems, *recalled.problems)
    finally:
        store.close()


NOTHING = summary(Checkpoint(snapshots={}, memory=Memory()))

"""Checkpoints to save, and what two of them are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st
from policy import story
from support import ir_strategies

from penstock.store import Checkpoint, Store, VerdictRecord
from translator.emit import emit
from translator.policy import WHOLE_KINDS, Memory, Proven, ProxyMemory
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION
from xds.verdicts import Content, Refusing, Verdict

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
    good = {
        host.name: host.routes
        for configuration in served.route_configurations
        for host in configuration.virtual_hosts
        if draw(st.integers(0, 3))
    }
    others = st.lists(ir_strategies.routes, max_size=3).map(tuple)
    # The last good routes of hosts that are served something else, and of those that are gone.
    for name in [*good, *draw(st.lists(names, max_size=2))]:
        if not draw(st.integers(0, 2)):
            good[name] = draw(st.permutations([*good.get(name, ()), *draw(others)]).map(tuple))
    return ProxyMemory(served=served, whole=draw(st.booleans()), good=good)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
times = st.floats(0, 2e9)
refusing = st.builds(Refusing, agent=names, text=names, first=times, last=times)
verdicts = st.lists(
    st.tuples(
        st.builds(Content, names, names, names),
        st.builds(
            Verdict,
            first=times,
            last=times,
            agents=st.frozensets(names, max_size=2),
            nodes=st.lists(names, max_size=2).map(tuple),
            refused=st.dictionaries(names, refusing, max_size=2),
            by_all=st.booleans(),
        ),
    ),
    max_size=3,
)
provens = st.builds(Proven, proxy=proxy_memories(), resources=st.just({}))
generated = st.builds(
    Checkpoint,
    snapshots=st.dictionaries(names, snapshots, max_size=2),
    memory=st.builds(
        Memory,
        proxies=st.dictionaries(names, proxy_memories(), max_size=2),
        proven=st.dictionaries(names, provens, max_size=2),
    ),
    facts=st.dictionaries(names, plain, max_size=2),
    accepted=st.dictionaries(st.tuples(names, names | st.just("")), snapshots, max_size=2),
    verdicts=verdicts.map(lambda every: VerdictRecord().take(every)),
)


def checkpoint(translation, proven=None, **facts):
    """
    Return what a program would save after a translation.

    Args:
        translation: The translation.
        proven: An earlier one, of which everything was accepted.
        facts: Anything else.
    """
    past = proven or translation
    return Checkpoint(
        snapshots={proxy.name: emit(proxy) for proxy in translation.proxies},
        memory=replace(
            translation.memory,
            proven={
                name: Proven(
                    proxy=memory,
                    resources={
                        ref: good
                        for ref, good in past.memory.resources.items()
                        if ref.kind in WHOLE_KINDS
                    },
                )
                for name, memory in past.memory.proxies.items()
            },
        ),
        facts=facts,
        accepted={(proxy.name, ""): emit(proxy) for proxy in past.proxies},
    )


def tell(policy=story.KEEP):
    """Yield the checkpoints of a story with edits, mistakes and a deletion."""
    now = story.Story(policy)
    yield checkpoint(now.now, step=1)
    proven = now.now
    now.edit(echo__routes=story.table("echo", story.route("/echo", "typo")))
    yield checkpoint(now.now, proven, step=2, broken="echo")
    now.edit(foxtrot__routes="spec: [", gateway__extra=story.upstream("extra"))
    yield checkpoint(now.now, proven, step=3, broken="both")
    now.edit(gateway__foxtrot=None, gateway__echo=story.upstream("echo", 1, 2, 3))
    yield checkpoint(now.now, proven, step=4)


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
    said = checkpoint_or_loaded.verdicts
    said = said if isinstance(said, Mapping) else VerdictRecord().take(said)
    return {
        "snapshots": {
            name: {url: dict(snapshot.resources(url)) for url in snapshot.types()}
            for name, snapshot in checkpoint_or_loaded.snapshots.items()
        },
        "versions": {
            name: snapshot.version_info for name, snapshot in checkpoint_or_loaded.snapshots.items()
        },
        "facts": dict(checkpoint_or_loaded.facts),
        "resources": describe(memory.resources),
        "proxies": dict(memory.proxies),
        "accepted": {
            key: snapshot.version_info for key, snapshot in checkpoint_or_loaded.accepted.items()
        },
        "proven": {
            name: (each.proxy, describe(each.resources)) for name, each in memory.proven.items()
        },
        "verdicts": dict(said),
    }


def describe(resources):
    return {
        ref: (good.origin, good.text, good.resource.spec, good.resource.labels)
        for ref, good in resources.items()
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

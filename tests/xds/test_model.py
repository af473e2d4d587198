"""Laws that hold for any conversation with a client like Envoy."""

import pytest
from conversation import CDS, EDS, LDS, RDS, world
from hypothesis import given, settings
from hypothesis import strategies as st
from model_envoy import DeltaEnvoy, SotwEnvoy, bad

from xds.snapshot import Snapshot

pytestmark = pytest.mark.slow
envoys = pytest.mark.parametrize("make", [SotwEnvoy, DeltaEnvoy])


@st.composite
def worlds(draw, *, values=("", "2")):
    """Draw a consistent snapshot: routes need clusters that exist."""
    clusters = draw(st.sets(st.sampled_from(["a", "b", "c", "d@a"]), max_size=3))
    names = sorted(item.partition("@")[0] for item in clusters)
    used = st.sets(st.sampled_from(names)) if names else st.just(set())
    routes = {
        name: " ".join(sorted(draw(used)))
        for name in draw(st.sets(st.sampled_from(["r", "s"]), max_size=2))
    }
    keys = [f"{kind} {name}" for kind, of in KEYS.items() for name in of]
    edits = draw(st.dictionaries(st.sampled_from(keys), st.sampled_from(values), max_size=3))
    return world(" ".join(sorted(clusters)), routes=dict(sorted(routes.items())), edits=edits)


KEYS = {"CDS": "abd", "EDS": "ab", "LDS": "l", "RDS": "rs"}

steps = st.one_of(
    worlds().map(lambda snapshot: ("publish", snapshot)),
    st.just(("deliver_request",)),
    st.just(("deliver_response",)),
)
disturbances = st.one_of(
    worlds(values=("2", "bad", "bad too")).map(lambda snapshot: ("publish", snapshot)),
    st.integers(1, 30).map(lambda seconds: ("advance", seconds)),
    st.just(("connect",)),
)


def play(envoy, script, after=lambda: None):
    for name, *arguments in script:
        getattr(envoy, name)(*arguments)
        after()


def agrees(envoy, snapshot):
    """Compare what the client has with what it should have, leaving out what it refuses."""
    for type_url in (CDS, LDS, EDS, RDS):
        there = snapshot.resources(type_url)
        wanted = envoy.names(type_url) if type_url in (EDS, RDS) else there.keys()
        for name in wanted & there.keys():
            if not bad(there[name]):
                assert there[name].body == envoy.have[type_url][name].body
        if type_url in (CDS, LDS):
            assert envoy.have[type_url].keys() <= there.keys()


@envoys
@settings(max_examples=100, deadline=None)
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40), last=worlds())
def test_client_ends_up_with_the_snapshot(make, script, last):
    """Whatever happens on the way, the client ends up with the last snapshot, all of it warm."""
    envoy = make()
    play(envoy, script)

    envoy.publish(last)
    envoy.settle()

    agrees(envoy, last)
    assert not envoy.warming


@envoys
@settings(max_examples=100, deadline=None)
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40))
def test_silence_when_nothing_changes(make, script):
    """After a conversation nothing is sent but for a change: not for equal content, nor in time."""
    envoy = make()
    play(envoy, [*script, ("publish", envoy.snapshot or world("a"))])
    envoy.settle()
    kinds = (CDS, EDS, LDS, RDS)
    same = Snapshot.of([r for k in kinds for r in envoy.snapshot.resources(k).values()])

    envoy.publish(same)
    envoy.advance(1000)

    assert not envoy.to_client


@envoys
@settings(max_examples=100, deadline=None)
@given(script=st.lists(steps, max_size=60))
def test_routes_always_have_their_clusters(make, script):
    """Make before break: at no moment does the client have a route to a cluster it lacks."""
    envoy = make()

    def routes_are_served():
        needed = {n for name in envoy.names(RDS) for n in needs(envoy, name)}
        assert needed <= envoy.have[CDS].keys()

    play(envoy, script, routes_are_served)
    envoy.settle()


MOVES = [
    world(clusters, routes={"r": used}, edits=edits)
    for clusters, used in [("a", "a"), ("b", "b"), ("d@a", "d"), ("a b", "a b")]
    for edits in [{}, {"CDS a": "2", "EDS b": "2"}]
]


@envoys
@settings(max_examples=100, deadline=None)
@given(
    script=st.lists(
        st.tuples(st.sampled_from(MOVES), st.booleans(), st.lists(st.booleans(), max_size=16)),
        max_size=20,
    )
)
def test_rules_80_and_88_moves_to_and_fro(make, script):
    """
    However traffic is moved, no route leads to a cluster that is not in use yet, or gone.

    A move may also happen while the client is away: one, which it learns when it is back.
    """
    envoy = make()
    envoy.publish(MOVES[0])
    envoy.settle()
    for snapshot, away, deliveries in script:
        if away:
            envoy.settle()
            envoy.keep(snapshot)
            envoy.connect()
            while envoy.to_server:
                envoy.deliver_request()
        else:
            envoy.publish(snapshot)
        for to_client in deliveries:
            (envoy.deliver_response if to_client else envoy.deliver_request)()

            assert set(needs(envoy, "r")) <= envoy.active

    envoy.settle()
    agrees(envoy, envoy.snapshot)


@envoys
@settings(max_examples=60, deadline=None)
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40))
def test_rules_44_and_70_names_come_once(make, script):
    """No response names a resource twice, be it there or gone: a client refuses all of it."""
    envoy = make()

    def names_are_unique():
        for response in envoy.to_client:
            names = [*(r.name for r in response.resources), *response.removed]
            assert len(names) == len(set(names))

    play(envoy, script, names_are_unique)


def needs(envoy, name):
    routes = envoy.have[RDS].get(name)
    return routes.requires if routes is not None else ()


@envoys
@settings(max_examples=60, deadline=None)
@given(script=st.lists(st.one_of(steps, disturbances), max_size=30))
def test_nothing_refused_is_repeated_for_ever(make, script):
    """Every conversation ends, also with a client that refuses part of what it is sent."""
    envoy = make()
    play(envoy, script)

    envoy.settle()

    assert envoy.stream.deadline is None

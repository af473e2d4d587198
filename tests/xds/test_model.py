"""Laws that hold for any conversation with a client like Envoy."""

import os
from typing import NamedTuple

import pytest
from conversation import CDS, EDS, LDS, RDS, world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from model_envoy import DeltaEnvoy, SotwEnvoy, bad
from model_names import TYPES, DeltaNames, SotwNames

from xds.snapshot import Snapshot

CASES = int(os.environ.get("PENSTOCK_MODEL_CASES", "0"))
"""How many conversations are made up for each law; set by `make model`."""

pytestmark = pytest.mark.slow
law = settings(
    max_examples=CASES or 25,
    deadline=None,
    derandomize=not CASES,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink) if CASES else (Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
envoys = pytest.mark.parametrize("make", [SotwEnvoy, DeltaEnvoy])


class Edition(NamedTuple):
    """What a snapshot is made of, to be read when a test fails."""

    clusters: str
    routes: dict[str, str]
    edits: dict[str, str]

    @property
    def snapshot(self):
        return world(self.clusters, routes=self.routes, edits=self.edits)


@st.composite
def editions(draw, *, values=("", "2")):
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
    return Edition(" ".join(sorted(clusters)), dict(sorted(routes.items())), edits)


KEYS = {"CDS": "abd", "EDS": "ab", "LDS": "l", "RDS": "rs"}

steps = st.one_of(
    st.tuples(st.just("publish"), editions()),
    st.just(("deliver_request",)),
    st.just(("deliver_response",)),
)
disturbances = st.one_of(
    st.tuples(st.just("publish"), editions(values=("2", "bad", "bad too", "rotten"))),
    st.tuples(st.just("advance"), st.integers(1, 30)),
    st.just(("connect",)),
)
last_editions = editions(values=("", "2", "bad", "bad too"))


def play(envoy, script, after=lambda: None):
    for name, *arguments in script:
        given = [each.snapshot if isinstance(each, Edition) else each for each in arguments]
        getattr(envoy, name)(*given)
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
@law
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40), last=last_editions)
def test_client_ends_up_with_the_snapshot(make, script, last):
    """Whatever happens on the way, the client gets the last snapshot but for what it refuses."""
    envoy = make()
    play(envoy, script)

    envoy.publish(last.snapshot)
    envoy.settle()

    agrees(envoy, last.snapshot)


@envoys
@law
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40))
def test_silence_when_nothing_changes(make, script):
    """After a conversation nothing is sent but for a change: not for equal content, nor in time."""
    envoy = make()
    play(envoy, script)
    envoy.publish(envoy.snapshot or world("a"))
    envoy.settle()
    kinds = (CDS, EDS, LDS, RDS)
    same = Snapshot.of([r for k in kinds for r in envoy.snapshot.resources(k).values()])

    envoy.publish(same)
    envoy.advance(1000)

    assert not envoy.to_client


@envoys
@law
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
@law
@given(script=st.lists(st.one_of(steps, steps, disturbances), max_size=40))
def test_everything_is_sent_for_a_reason(make, script):
    """
    Nothing is sent twice without a reason, nothing refused again, no name or two routes at once.

    The ledger around each stream says what is a reason, and objects at the first response without
    one; so it does in all the other conversations.
    """
    envoy = make()

    play(envoy, script)
    envoy.settle()

    # A client that comes back with everything need not be sent anything.
    there = envoy.stream.sent or any(envoy.have.values())
    assert there or not envoy.snapshot or not envoy.snapshot.types()


def needs(envoy, name):
    routes = envoy.have[RDS].get(name)
    return routes.requires if routes is not None else ()


@envoys
@law
@given(script=st.lists(st.one_of(steps, disturbances), max_size=30))
def test_nothing_refused_is_repeated_for_ever(make, script):
    """Every conversation ends, also with a client that refuses part of what it is sent."""
    envoy = make()
    play(envoy, script)

    envoy.settle()

    assert envoy.stream.deadline is None


names = st.tuples(st.sampled_from(TYPES), st.sampled_from(["a", "b", "r", "l", "*"]))
wishes = st.one_of(
    names.map(lambda each: ("want", *each)),
    names.map(lambda each: ("want", *each)),
    names.map(lambda each: ("drop", *each)),
    names.map(lambda each: ("again", *each)),
)
naming_scripts = st.lists(st.one_of(wishes, steps, steps, disturbances), max_size=40)


@pytest.mark.parametrize("make", [SotwNames, DeltaNames])
@law
@given(script=naming_scripts, last=last_editions)
def test_a_client_that_changes_its_mind_ends_up_with_what_it_wants(make, script, last):
    """Whatever it asked for and left on the way, the client gets what it wants by then."""
    client = make()
    play(client, script)

    client.publish(last.snapshot)
    client.settle()

    for kind in TYPES:
        there = {n: r for n, r in client.snapshot.resources(kind).items() if client.wants(kind, n)}
        for name, resource in there.items():
            if not bad(resource):
                assert resource.body == client.have[kind][name].body
        if client.complete(kind):
            assert client.have[kind].keys() <= there.keys()

"""What counts as accepted entirely, found out from what changed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.proofs import Proofs, content_of
from translator import ir
from translator.policy import Memory, ProxyMemory
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT
from xds.verdicts import Verdicts, Voice

PROXY = ir.Proxy(name="p", listeners=(), route_configurations=(), clusters=(), load_assignments=())
MEMORY = Memory(proxies={"p": ProxyMemory(served=PROXY, whole=True, good={})})
ME = Voice(node="me", agent="envoy")
OTHERS = {"me": "envoy"}
JUDGED = (CLUSTER, LISTENER)


def resource(key, number):
    type_url, name = key
    return Resource.of(type_url, name, f"{name} {number}".encode())


keys = st.tuples(st.sampled_from((*JUDGED, LOAD_ASSIGNMENT)), st.sampled_from("ab"))
snapshots = st.dictionaries(keys, st.integers(0, 2)).map(
    lambda numbers: Snapshot.of(resource(key, number) for key, number in numbers.items())
)
contents = st.tuples(keys, st.integers(0, 2)).map(lambda each: content_of(resource(*each)))
steps = st.one_of(
    st.tuples(st.just("serve"), snapshots),
    st.tuples(st.just("accept"), st.lists(contents, max_size=6)),
)


def judged(snapshot):
    return {content_of(each) for url in JUDGED for each in snapshot.resources(url).values()}


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=12))
def test_the_newest_of_which_all_was_accepted(script):
    """Only endpoints need no verdict; what is the same as before need not be accepted again."""
    verdicts = Verdicts()
    proofs = Proofs(verdicts)
    served, accepted = [], set()
    for name, argument in script:
        if name == "serve":
            proofs.serve("p", argument, MEMORY)
            served = [*served, argument][-8:]  # so many are waited for
        else:
            accepted.update(argument)
            proofs.accept(verdicts.accept_all(argument, ME, 0.0))

        entire = [each for each in served if judged(each) <= accepted]
        if entire:
            assert entire[-1] is proofs.newest.snapshot


def test_what_is_refused_meanwhile_is_not_accepted():
    """What was accepted once and is refused by all since keeps the next snapshot from being so."""
    a, b = resource((CLUSTER, "a"), 0), resource((CLUSTER, "b"), 0)
    verdicts = Verdicts()
    proofs = Proofs(verdicts)
    first = Snapshot.of([a])
    proofs.serve("p", first, MEMORY)
    proofs.accept(verdicts.accept_all([content_of(a)], ME, 0.0))
    verdicts.refuse(content_of(a), ME, "no", 1.0, OTHERS)

    proofs.serve("p", Snapshot.of([a, b]), MEMORY)
    proofs.accept(verdicts.accept_all([content_of(b)], ME, 2.0))

    assert first is proofs.newest.snapshot

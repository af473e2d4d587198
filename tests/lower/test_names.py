from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lower_world import World, route, select, table, virtual_service

from translator.lower import names

words = st.sampled_from(["", "a", "b", "a#1", "a#2", "#0", "a/0", "a@b", "a'"])


@given(written=st.lists(words))
@settings(max_examples=100, deadline=None)
def test_labels_are_unique(written):
    """Each route of a table has a label of its own."""
    labels = names.route_labels(written)

    assert len(written) == len(set(labels))


matchers = st.lists(st.sampled_from(["{prefix: /a}", "{prefix: /b}"]), max_size=3).map(", ".join)


@given(
    own=st.lists(st.tuples(words, matchers), max_size=4),
    below=st.lists(st.tuples(words, matchers), max_size=4),
    times=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_names_are_unique(own, below, times):
    """Each Envoy route of a virtual host has a name of its own, and is recognised by one."""
    routes = [route(matcher, name=name and f'"{name}"') for name, matcher in own]
    again = [select("{}")] * times
    world = World(
        virtual_service(*routes, *again),
        table("ops/app", *(route(matcher, name=name and f'"{name}"') for name, matcher in below)),
    )

    names_made = [made.name for made in world.routes]
    assert len(names_made) == len(set(names_made))


def test_a_name_is_used_as_it_is():
    """A route without a name has its place for one, and the first of two namesakes keeps it."""
    assert ["a", "#1", "a#2", "b"] == names.route_labels(["a", "", "a", "b"])


def test_a_name_that_looks_like_a_place():
    """Even a name in the form of ours leaves each route a label of its own."""
    assert ["a#2", "a", "a#2'"] == names.route_labels(["a#2", "a", "a"])

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from translator.lower import names

words = st.sampled_from(["", "a", "b", "a#1", "#0", "a/0", "a@b"])


@given(written=st.lists(words))
@settings(max_examples=100, deadline=None)
def test_labels_are_unique(written):
    """Each route of a table has a label of its own."""
    labels = names.route_labels(written)

    assert len(written) == len(set(labels))


@given(
    routes=st.lists(
        st.tuples(words, st.lists(words, max_size=2).map(tuple), st.integers(1, 3)), max_size=8
    )
)
@settings(max_examples=100, deadline=None)
def test_names_are_unique(routes):
    """Each Envoy route of a virtual host has a name of its own."""
    made = names.envoy_routes(routes)

    assert sum(matchers for _, _, matchers in routes) == len(set(made)) == len(made)


def test_a_name_is_used_as_it_is():
    """A route without a name has its place for one, and the first of two namesakes keeps it."""
    assert ["a", "#1", "a#2", "b"] == names.route_labels(["a", "", "a", "b"])

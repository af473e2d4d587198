"""Mappings that share what has not changed are like those that were copied."""

from hypothesis import given, settings
from hypothesis import strategies as st

from translator import reuse
from translator.reuse import changes, same_items, updated

KEYS = st.integers(0, 60)
VALUES = st.one_of(st.none(), st.integers(1, 5).map(lambda number: f"value {number}"))


@settings(max_examples=200, deadline=None)
@given(
    start=st.dictionaries(KEYS, VALUES.filter(bool), max_size=50),
    steps=st.lists(st.tuples(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans()), max_size=8),
)
def test_updates_are_those_of_a_dictionary(start, steps):
    """After any updates there are the same items, and what changed is found between any two."""
    small, most = reuse._SMALL, reuse._MOST_PATCHES
    reuse._SMALL, reuse._MOST_PATCHES = 3, 8
    try:
        now, model = dict(sorted(start.items())), dict(start)
        states = [(now, dict(model))]
        for changed, ordered in steps:
            before = list(now)
            now = updated(now, changed, ordered=ordered)
            model = {k: v for k, v in (model | changed).items() if v is not None}
            states.append((now, dict(model)))

            assert model == dict(now.items())
            assert len(model) == len(now)
            assert all(now.get(key) == model.get(key) for key in range(61))
            assert all((key in now) == (key in model) for key in range(61))
            if ordered and before == sorted(before):
                assert sorted(model) == list(now)
        for new, expected in states:
            for old, earlier in states:
                keys = expected.keys() | earlier.keys()
                differ = {key for key in keys if expected.get(key) is not earlier.get(key)}
                assert differ == changes(new, old)
    finally:
        reuse._SMALL, reuse._MOST_PATCHES = small, most


def test_nothing_new_is_the_very_same():
    """Whoever changes nothing gives back what was there."""
    before = {number: str(number) for number in range(2000)}
    after = updated(before, {1: "other"})

    assert before is updated(before, {1: before[1], 5000: None})
    assert after is updated(after, {1: after[1]})
    assert after is not before
    assert "1" == before[1]
    items = (("a", 1), ("b", 2))
    assert items is same_items((("a", 1), ("b", 2)), items)

"""Finding culprits by asking about several at a time."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from penstock.search import Search


def found(search, guilty):
    """Answer truthfully, until there is nothing more to ask."""
    while group := search.group:
        bad = guilty & set(group)
        search.answer(guilty=bool(bad), text=str(sorted(bad)))
    return {suspect for suspect, _ in search.culprits}


@given(st.integers(1, 300), st.data())
def test_exactly_the_culprits_are_found_in_few_questions(count, data):
    """Everybody who is at fault, nobody else, and each with what was said about it alone."""
    guilty = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=4))
    search = Search(range(count), limit=10_000)

    assert guilty == found(search, guilty)
    assert {guilty: f"[{guilty}]" for guilty, _ in search.culprits} == dict(search.culprits)
    assert search.questions <= len(guilty) * (ceil(log2(count)) * 2 + 1)
    assert () == search.undecided


def test_one_among_thousands():
    search = Search(range(10_000))

    assert {4711} == found(search, {4711})
    assert search.questions <= 28


def test_questions_are_bounded():
    """What is not known when they have run out is told."""
    search = Search(range(1000), limit=10)

    guilty = found(search, set(range(1000)))

    assert 10 == search.questions
    assert guilty | set(search.undecided) == set(range(1000))


def test_nobody_need_be_at_fault():
    """What is refused as a whole only is nobody's fault alone."""
    search = Search(range(8))

    assert set() == found(search, set())
    assert () == search.undecided

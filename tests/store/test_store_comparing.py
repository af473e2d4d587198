from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from penstock.store.comparing import changes
from penstock.store.pieces import cut, encode_piece, read_piece
from penstock.store.recent import Recent
from penstock.store.testimony import VerdictRecord
from xds.verdicts import Content, Refusing, Verdict

KEYS = st.sampled_from("abcdefgh")
VALUES = [("same",) * length for length in range(3)]
mappings = st.dictionaries(KEYS, st.sampled_from(VALUES))


@given(mappings, mappings, st.booleans())
def test_changes_lead_from_one_mapping_to_the_other(before, now, sort):
    """All that is new or another value, and all that is gone; whatever the order."""
    if sort:
        before, now = dict(sorted(before.items())), dict(sorted(now.items()))
    changed, gone = changes(MappingProxyType(before), now)
    found = {key: value for key, value in {**before, **changed}.items() if key not in gone}

    assert now == found
    assert not [key for key, value in changed.items() if before.get(key) == value]
    assert before.keys() - now.keys() == set(gone)


def test_what_is_the_same_object_is_not_looked_into():
    """It would take long with thousands of large values."""

    class Opaque:
        def __eq__(self, other):
            raise AssertionError

        __hash__ = object.__hash__

    before = {number: Opaque() for number in range(10)}
    edited = {**before, 3: "other"}
    longer = {**dict(list(before.items())[:5]), "new": 1, **dict(list(before.items())[5:])}

    assert ({"new": 1}, ()) == changes(before, longer)
    assert ({}, ("new",)) == changes(longer, before)
    assert {} == changes(before, dict(before))[0]
    assert [3] == list(changes({**edited, 3: "before"}, edited)[0])


bodies = st.lists(st.binary(max_size=3) | st.sampled_from([b"x" * 17_000, b"y" * 17_000]))


@given(st.lists(bodies, min_size=2, max_size=4), st.randoms())
def test_pieces_do_not_depend_on_the_past(versions, dice):
    """A body is cut the same, whatever it is built on; together the pieces are the body."""
    known = {part: part for version in versions for part in version}
    before = None
    for version in versions:
        parts = tuple(known[part] for part in version)
        if before is not None and dice.random() < 0.7:
            # Most edits leave most of it as it was.
            start, end = sorted(dice.randrange(len(before.parts) + 1) for _ in range(2))
            parts = (*before.parts[:start], *parts[:2], *before.parts[end:])
        built, alone = cut(parts, before), cut(parts)
        before = built

        assert alone == built
        assert parts == tuple(part for _, piece in built.pieces for part in piece)


def test_an_edit_of_a_large_body_changes_one_piece():
    """Wherever it is, and whether parts come or go."""
    parts = tuple(f"part {number}".encode() for number in range(1000))
    before = cut(parts)
    for now in (
        (*parts[:500], b"other", *parts[501:]),
        (*parts[:500], b"new", *parts[500:]),
        (*parts[:500], *parts[502:]),
        (b"new", *parts),
        (*parts, b"new"),
    ):
        after = cut(now, before)
        kept = {id(piece) for _, piece in before.pieces}

        assert 30 < len(after.pieces)
        # Two if the part before a cut is the one that changed.
        assert 2 >= sum(id(piece) not in kept for _, piece in after.pieces)


@given(bodies.map(tuple))
def test_a_piece_is_read_as_it_was(parts):
    """Down to the parts, so that it is cut the same again."""
    assert parts == read_piece(*encode_piece(parts))


def test_only_a_save_that_succeeded_is_built_on():
    """What was asked for and dropped is as if nobody had asked."""
    recent, made = Recent(), []

    def make(source, base):
        made.append((source, base))
        return f"made of {source}"

    first, second, third = ["first"], ["second"], ["third"]
    recent.get("part", first, make)
    recent.settle()
    recent.get("part", second, make)
    recent.drop()
    recent.get("part", third, make)
    recent.get("other", first, make)
    recent.get("new", second, make, like="part")

    assert [
        (first, None),
        (second, "made of ['first']"),
        (third, "made of ['first']"),
        (second, "made of ['third']"),
    ] == made


def test_verdicts_are_taken_down_now_and_then():
    """Acceptances soon, refusals at once; what nobody said anything new to is the same object."""
    now = [0.0]
    record = VerdictRecord(monotonic=lambda: now[0])
    verdicts = {
        Content("type", name, "hash"): Verdict(first=1.0, last=1.0, agents=frozenset({"envoy"}))
        for name in "abc"
    }
    a, b, c = verdicts

    def take():
        return record.take(verdicts.items())

    def say(content, **said):
        verdicts[content] = replace(verdicts[content], **said)

    taken = [take()]
    say(a, agents=frozenset({"envoy", "other"}), last=2.0)
    taken.append(take())
    say(b, refused={"node": Refusing(agent="envoy", text="no", first=3.0, last=3.0)})
    taken.append(take())
    now[0] += 60
    say(c, last=9.0)
    taken.append(take())
    verdicts[Content("type", "d", "hash")] = Verdict(first=4.0, last=4.0)
    now[0] += 60
    taken.append(take())
    del verdicts[a]
    now[0] += 60
    taken.append(take())

    assert [True, False, True, False, False] == [one is other for one, other in pairwise(taken)]
    assert frozenset({"envoy", "other"}) == taken[2][a][1]
    assert taken[2][c] is taken[0][c]
    assert ["a", "b", "c", "d"] == [content.name for content in taken[4]]
    assert [b, c, Content("type", "d", "hash")] == list(taken[5])

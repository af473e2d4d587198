"""Whom a refusal concerns."""

from __future__ import annotations

import pytest

from xds.verdicts import Content, Verdicts, Voice

X = Content("type", "x", "1")
NEW, OLD = "envoy 1.40.0", "envoy 1.30.0"
FLEET = {"a": NEW, "b": NEW, "odd": OLD}


def heard(*words, others=FLEET):
    """Let clients speak one after the other: `a+` accepts, `a-` refuses."""
    verdicts = Verdicts()
    for time, word in enumerate(words):
        node, sign = word[:-1], word[-1]
        voice = Voice(node=node, agent=FLEET.get(node, NEW))
        if sign == "+":
            verdicts.accept(X, voice, time)
        else:
            verdicts.refuse(X, voice, f"{node} says no", time, others)
    return verdicts


@pytest.mark.parametrize(
    ("words", "others", "everybody", "own"),
    [
        ("", FLEET, False, set()),
        ("a+ b+ odd+", FLEET, False, set()),
        # One of several refuses: its own matter, whatever the others have said so far.
        ("odd-", FLEET, False, {"odd"}),
        ("a+ odd-", FLEET, False, {"odd"}),
        ("odd- a+", FLEET, False, {"odd"}),
        # A second one agrees.
        ("a- b-", FLEET, True, set()),
        ("a- odd-", FLEET, True, set()),
        # But not against a third that accepts it, sooner or later.
        ("a+ b- odd-", FLEET, False, {"b", "odd"}),
        ("b- odd- a+", FLEET, False, {"b", "odd"}),
        # The only one that is connected.
        ("a-", {"a": NEW}, True, set()),
        # An acceptance of a version that is gone protects nothing.
        ("odd+ a- b-", {"a": NEW, "b": NEW}, True, set()),
        ("odd+ a-", {"a": NEW, "b": NEW}, False, {"a"}),
        # Who accepts after all has changed its mind.
        ("a- a+", {"a": NEW}, False, set()),
    ],
)
def test_rules_103_and_106_whom_it_concerns(words, others, everybody, own):
    """It is everybody's matter when nobody else is there, or two agree and no one objects."""
    verdicts = heard(*words.split(), others=others)

    assert everybody == verdicts.refused_by_all(X)
    assert own == {node for node, contents in verdicts.refusers().items() if X in contents}


def test_rule_106_the_others_leave():
    """Who is left alone with a refusal speaks for all, unless somebody had accepted it."""
    alone, accepted = heard("odd-"), heard("a+", "odd-")

    assert alone.left({"odd": OLD})
    assert not accepted.left({"odd": OLD})

    assert [True, False] == [each.refused_by_all(X) for each in (alone, accepted)]


def test_verdict_tells_who_said_what_when():
    """Who accepted and refused, in which words, from when to when, with which version."""
    verdict = heard("a+", "odd-", "b+", "odd-").get(X)

    assert ("a", "b") == verdict.nodes
    assert {NEW} == verdict.agents
    refusing = verdict.refused["odd"]
    assert (OLD, "odd says no", 1, 3) == (
        refusing.agent,
        refusing.text,
        refusing.first,
        refusing.last,
    )
    assert (0, 3) == (verdict.first, verdict.last)


def test_thousands_of_voices_take_no_room():
    """However many accept something, only the first few are known by name."""
    verdicts = Verdicts()
    for number in range(10_000):
        verdicts.accept(X, Voice(node=f"envoy-{number}", agent=NEW), number)

    assert 8 == len(verdicts.get(X).nodes)
    assert 9999 == verdicts.get(X).last


def test_only_news_is_news():
    """What follows from an acceptance follows from the first one of its kind only."""
    verdicts = Verdicts()

    told = [verdicts.accept(X, Voice(node=node, agent=NEW), 0) for node in ("a", "b", "a")]

    assert [True, False, False] == told


def test_what_is_gone_is_forgotten_but_refusals_are_not():
    """A refused content may come back, so the refusal stays; the operator may lift all."""
    verdicts = heard("a-", others={"a": NEW})
    verdicts.accept(Content("type", "y", "1"), Voice(node="a", agent=NEW), 0)

    verdicts.retain(frozenset(), refused=1)

    assert [X] == list(verdicts.all())

    newer = Content("type", "z", "1")
    verdicts.refuse(newer, Voice(node="a", agent=NEW), "no", 5, {"a": NEW})
    verdicts.retain(frozenset(), refused=1)

    assert [newer] == list(verdicts.all())
    assert frozenset({newer}) == verdicts.refused_by_all_contents

    verdicts.forgive()

    assert not verdicts.refused_by_all(newer)
    assert not verdicts.any_disputed

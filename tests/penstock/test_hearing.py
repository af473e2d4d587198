"""What Envoys say again and again is noted once."""

from penstock.hearing import Hearing
from xds.types import CLUSTER, LISTENER
from xds.verdicts import NODES, Voice

ALL = {"a": "1", "b": "1"}


def voice(number, agent="envoy 1.40.0"):
    return Voice(node=f"envoy-{number}", agent=agent)


def test_only_what_is_new_is_news():
    """An Envoy that accepts everything again has said something about what changed only."""
    hearing = Hearing()

    said = [
        hearing.news(CLUSTER, voice(1), versions)
        for versions in (ALL, ALL, {"a": "1", "b": "2"}, ALL)
    ]

    assert [ALL, {}, {"b": "2"}, {"b": "1"}] == said
    assert ALL == hearing.news(LISTENER, voice(1), ALL)


def test_the_first_few_are_told_apart_and_each_kind_is():
    """A thousand Envoys of one kind say one thing; another kind says its own."""
    hearing = Hearing()

    said = [hearing.news(CLUSTER, voice(number), ALL) for number in range(1000)]

    assert NODES + 1 == sum(bool(news) for news in said)
    assert ALL == hearing.news(CLUSTER, voice(1, agent="envoy 1.41.0"), ALL)


def test_everything_is_heard_again_when_it_is_forgotten():
    hearing = Hearing()
    hearing.news(CLUSTER, voice(1), ALL)

    hearing.forget()

    assert ALL == hearing.news(CLUSTER, voice(1), ALL)

"""Who is woken when, and what each client is served."""

from conversation import world

from xds.cache import SnapshotCache

OLD, NEW, TRIAL = world("a"), world("a b"), world("a c")


def test_a_trial_is_for_one_stream_and_ends_without_a_trace():
    """Nobody else is served it, and the end of a stream that had none wakes nobody."""
    cache, woken = SnapshotCache(), []
    cache.set("p", OLD, {"odd": NEW})
    cache.watch("p", lambda: woken.append("p"))

    cache.try_out("p", 1, None)

    assert [] == woken

    cache.try_out("p", 1, TRIAL)

    assert ["p"] == woken
    assert [TRIAL, OLD, NEW] == [
        cache.get("p", node="one", stream=1),
        cache.get("p", node="two", stream=2),
        cache.get("p", node="odd", stream=3),
    ]

    cache.try_out("p", 1, None)

    assert OLD == cache.get("p", node="one", stream=1)

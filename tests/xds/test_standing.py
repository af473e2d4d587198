"""What the machines tell of each resource, in the words of CSDS."""

import pytest
from conversation import CDS, RDS, SHORT, Delta, Sotw, world

both = pytest.mark.parametrize("make", [Sotw, Delta])


def told(client, type_url=None):
    """Put the states into words: `CDS a SYNCED ACKED`."""
    return [
        f"{SHORT[state.type_url]} {state.name} {state.sync} {state.client}"
        for state in client.stream.resources()
        if type_url in (None, state.type_url)
    ]


def state_of(client, type_url, name):
    (found,) = (
        state
        for state in client.stream.resources()
        if (state.type_url, state.name) == (type_url, name)
    )
    return found


@both
def test_rule_95_everything_accepted(make):
    """What was accepted is synced, with the very resource; types come in the order of updates."""
    snapshot = world("a b", routes={"r": "a"})
    client = make(snapshot).start("r")

    assert [
        "CDS a SYNCED ACKED",
        "CDS b SYNCED ACKED",
        "EDS a SYNCED ACKED",
        "EDS b SYNCED ACKED",
        "LDS l SYNCED ACKED",
        "RDS r SYNCED ACKED",
    ] == told(client)
    assert snapshot.get(CDS, "a") is state_of(client, CDS, "a").accepted


@both
def test_rule_95_nothing_asked(make):
    """Of a type that a client never asked for nothing is told, though it may be sent ahead."""
    client = make(world("a"))

    assert [] == told(client)

    client.ask(CDS)

    assert ["CDS a STALE REQUESTED"] == told(client)


@both
def test_rule_95_no_snapshot(make):
    """A client without a snapshot waits for what it named."""
    client = make()
    client.ask(CDS)
    client.ask(RDS, "r")

    assert ["RDS r NOT_SENT DOES_NOT_EXIST"] == told(client)


@both
def test_rule_95_unanswered(make):
    """A newer version is stale until its verdict; what the client uses is told meanwhile."""
    client = make(world("a", routes={"r": "a"})).start("r")
    before = state_of(client, RDS, "r")
    client.wait(5)
    (response,) = client.publish(world("a", routes={"r": "a"}, edits={"RDS r": "2"}))
    stale = state_of(client, RDS, "r")

    assert ("STALE", "ACKED", before.accepted) == (stale.sync, stale.client, stale.accepted)
    assert (0, 5) == (before.sent_at, stale.sent_at)

    client.ack(response, "r")
    synced = state_of(client, RDS, "r")

    assert ("SYNCED", "ACKED", 5) == (synced.sync, synced.client, synced.sent_at)
    assert synced.accepted != before.accepted


@both
def test_rule_95_refused(make):
    """A refused version is told with its words and time, beside the one that is used."""
    client = make(world("a", routes={"r": "a", "s": "a"})).start("r", "s")
    newer = world("a", routes={"r": "a", "s": "a"}, edits={"RDS r": "2", "RDS s": "2"})
    first, second = client.publish(newer)
    client.wait(1)
    client.nack(first, "r", "s", text="no  r")
    client.wait(1)
    client.nack(second, "r", "s", text="no s")
    r, s = state_of(client, RDS, "r"), state_of(client, RDS, "s")

    assert ["RDS r ERROR NACKED", "RDS s ERROR NACKED"] == told(client, RDS)
    assert ("no r", 1, "no s", 2) == (r.refusal.text, r.refusal.at, s.refusal.text, s.refusal.at)
    assert newer.get(RDS, "r") is r.refusal.resource
    assert r.refusal.resource.version != r.accepted.version


@both
def test_rule_95_refused_and_replaced(make):
    """A refusal is told as long as the client should have what it refuses, and again then."""
    good, bad, better = (
        world("a", routes={"r": "a"}, edits={"RDS r": edit}) for edit in ("", "bad", "2")
    )
    client = make(good).start("r")
    (refused,) = client.publish(bad)
    client.nack(refused, "r", text="no")
    (newer,) = client.publish(better)

    assert ["RDS r STALE ACKED"] == told(client, RDS)

    client.ack(newer, "r")

    assert ["RDS r SYNCED ACKED"] == told(client, RDS)

    client.publish(bad)
    again = state_of(client, RDS, "r")

    assert ["RDS r ERROR NACKED"] == told(client, RDS)
    assert ("no", newer.resources[0]) == (again.refusal.text, again.accepted)


@both
def test_rule_95_culprit_among_innocents(make):
    """Only who is blamed is refused; the others are accepted or about to be."""
    client = make(world("a b")).start()
    response = client.publish(world("a b", edits={"CDS a": "2", "CDS b": "2"}))[0]
    client.nack(response, text="Error adding/updating cluster(s) a: bad")

    assert "CDS a ERROR NACKED" == told(client, CDS)[0]
    assert "no" not in state_of(client, CDS, "b").client
    assert state_of(client, CDS, "b").refusal is None


@both
def test_rule_95_held_back(make):
    """What waits for its clusters is not sent, and the client uses what it had."""
    client = make(world("a", routes={"r": "a"})).start("r")
    client.publish(world("a b", routes={"r": "a b"}))

    assert ["RDS r NOT_SENT ACKED"] == told(client, RDS)
    assert "CDS b STALE REQUESTED" == told(client, CDS)[1]


@both
def test_rule_95_unknown_names(make):
    """A name that nobody knows does not exist, also after the client was told."""
    client = make(world("a"))
    for response in client.ask(RDS, "r"):
        assert ["RDS r STALE DOES_NOT_EXIST"] == told(client, RDS)
        client.ack(response)

    assert ["RDS r NOT_SENT DOES_NOT_EXIST"] == told(client, RDS)


@both
def test_rule_95_outliving_its_routes(make):
    """A cluster that still serves routes is told of until its removal is sent."""
    client = make(world("a b", routes={"r": "a b"})).start("r")
    (routes,) = client.publish(world("a", routes={"r": "a"}))

    assert "CDS b SYNCED ACKED" in told(client)

    client.ack(routes, "r")

    assert not any("CDS b" in line for line in told(client))


@both
def test_rule_95_unsubscribed(make):
    """What a client does not want any longer is not told of, whatever it said to it."""
    client = make(world("a", routes={"r": "a", "s": "a"})).start("r", "s")
    if make is Sotw:
        client.ask(RDS, "s")
    else:
        client.ask(RDS, drop=["r"])

    assert ["RDS s SYNCED ACKED"] == told(client, RDS)


def test_rule_95_brought_along():
    """What a client has from an earlier stream is synced, and was not sent on this one."""
    snapshot = world("a")
    client = Delta(snapshot)
    client.ask(CDS, have={"a": snapshot.get(CDS, "a").version})
    state = state_of(client, CDS, "a")

    assert ("SYNCED", "ACKED", None) == (state.sync, state.client, state.sent_at)


@both
def test_the_states_are_those_of_the_call(make):
    """However late they are looked at, and whatever happened since, they do not change."""
    client = make(world("a", routes={"r": "a"})).start("r")
    states = client.stream.resources()
    expected = list(client.stream.resources())
    for response in client.publish(world("b", routes={"r": "b"})):
        client.ack(response, "r")

    assert expected == list(states)
    assert expected != list(client.stream.resources())


@both
def test_asking_changes_nothing(make):
    """A client that is looked at all the time is sent the same as one that is not."""
    snapshots = [world("a", routes={"r": "a"}), world("b", routes={"r": "b"}), world("c")]

    def play(*, look):
        client = make(snapshots[0]).start("r")
        sent = []
        for snapshot in snapshots:
            for response in client.publish(snapshot):
                sent.append(response)
                sent += client.ack(response, "r")
                if look:
                    list(client.stream.resources())
        return sent, client.wait(100)

    assert play(look=False) == play(look=True)


@both
def test_times_are_counted_from_the_epoch(make):
    """The caller says what the clock's zero is."""
    client = make(world("a"))
    client.wait(3)
    client.ask(CDS)

    assert [1003] == [state.sent_at for state in client.stream.resources(epoch=1000)]


@both
def test_what_is_gone_is_forgotten(make):
    """A stream that outlives many clusters does not remember when each was sent."""
    client = make(world("a0")).start()
    for number in range(1, 200):
        for response in client.publish(world(f"a{number}")):
            client.ack(response, f"a{number}")

    assert len(client.stream._deliveries[CDS].sent_at) < 10

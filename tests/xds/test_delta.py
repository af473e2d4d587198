import pytest
from conversation import CDS, EDS, LDS, RDS, SDS, Delta, said, world

from xds.discovery import encode_delta
from xds.exchange import ProtocolError
from xds.snapshot import Resource, Snapshot

AB = world("a b", routes={"r": "a b"})


def edited(*names, **edits):
    return world("a b", routes={"r": "a b"}, edits=dict.fromkeys(names, "2") | edits)


def versions(snapshot, type_url, *names):
    return {name: snapshot.get(type_url, name).version for name in names}


class TestSubscriptions:
    def test_no_type(self):
        """A request without a type breaks the protocol."""
        with pytest.raises(ProtocolError, match="no type_url"):
            Delta(AB).ask("")

    def test_rule_8_unknown_type(self):
        """Names of a type that we do not serve do not exist; the stream goes on."""
        client = Delta(AB)

        [response] = client.ask("type.googleapis.com/nobody.Knows", "a")

        assert ("a",) == response.removed

    def test_rule_10_foreign_nonce(self):
        """The first request of a type is the first, even with a nonce of some other stream."""
        client = Delta(AB)

        assert ["CDS a b", "EDS a b"] == said(client.ask(CDS, nonce="77"))
        assert ["first"] == client.kinds()

    def test_rule_54_only_what_differs(self):
        """A reconnecting client is sent only what it does not have."""
        client = Delta(AB)
        have = versions(AB, CDS, "a") | {"b": "old"}

        assert ["CDS b", "EDS b"] == said(client.ask(CDS, have=have))

    def test_rule_54_nothing_differs(self):
        """A reconnecting client that has everything of a named type is sent nothing."""
        client = Delta(AB)

        assert [] == client.ask(RDS, "r", have=versions(AB, RDS, "r"))

    def test_rule_54_what_it_has_it_has_accepted(self):
        """What a client brings from an earlier stream is told, whoever served that."""
        client = Delta(AB)

        client.ask(CDS, have={"a": "older"})
        client.ask(CDS, "b")

        assert [{"a": "older"}, {}] == [receipt.brought for receipt in client.heard]

    def test_rule_55_gone_meanwhile(self):
        """What was removed while the client was away is removed when it is back."""
        client = Delta(AB)
        have = versions(AB, LDS, "l") | {"gone": "1"}

        assert ["LDS -gone"] == said(client.ask(LDS, have=have))

    def test_rule_55_gone_after_its_update_was_refused(self):
        """Who refuses an update goes on with what it brought, until that is removed."""
        client = Delta(world("a", edits={"CDS a": "bad"}))
        cds, _ = client.ask(CDS, have={"a": "older"})

        assert [] == client.nack(cds)
        assert ["CDS -a"] == said(client.publish(world("")))
        assert [] == client.publish(world("a", edits={"CDS a": "bad"}))

    def test_rule_55_gone_after_its_update_was_refused_while_warming(self):
        """The acknowledgement of a cluster may come after the refusal of its update."""
        client = Delta(world("a"))
        first, _ = client.ask(CDS)
        client.wait(5)
        second, _ = client.publish(world("a", edits={"CDS a": "bad"}))

        client.nack(second)
        client.ack(first)

        assert ["CDS -a"] == said(client.publish(world("")))[:1]

    def test_rules_55_and_88_cluster_gone_meanwhile(self):
        """A cluster that was removed meanwhile goes when the client has the newest routes."""
        client = Delta(AB)
        have = versions(AB, CDS, "a", "b") | {"gone": "1"}

        assert ["CDS"] == said(client.ask(CDS, have=have))
        assert ["CDS -gone"] == said(client.ask(RDS, "r", have=versions(AB, RDS, "r")))

    @pytest.mark.parametrize("type_url", [CDS, LDS])
    @pytest.mark.parametrize("names", [(), ("*",)])
    def test_rule_56_first_wildcard_answer(self, type_url, names):
        """A client of everything is answered at once, even when there is nothing."""
        [response] = Delta(world()).ask(type_url, *names)

        assert ((), ()) == (response.resources, response.removed)

    def test_rule_57_first_answer_is_complete(self):
        """The first response holds all clusters."""
        assert ["CDS a b", "EDS a b"] == said(Delta(AB).ask(CDS))

    def test_rule_58_endpoints_of_a_changed_cluster(self):
        """A reconnecting client is sent the endpoints of a cluster that was changed meanwhile."""
        client = Delta(edited("CDS a"))

        assert ["EDS a"] == said(client.ask(EDS, "a", "b", have=versions(AB, EDS, "a", "b")))

    def test_rule_59_ack_of_what_was_dropped(self):
        """An ACK is not for what the client did not want any more when it got the response."""
        client = Delta(AB)
        [response] = client.ask(EDS, "a", "b")
        client.ask(EDS, drop=["a"])

        client.ack(response)

        assert {"b": AB.get(EDS, "b").version} == client.heard[-1].acked

    @pytest.mark.parametrize(
        ("nonce", "error", "kind"),
        [
            ("1", None, "ack"),
            ("1", "no", "nack"),
            ("1", "", "nack"),
            ("", None, "subscribe"),
            ("", "no", "subscribe"),
            ("7", None, "stale"),
            ("7", "no", "stale"),
        ],
    )
    def test_rule_59_verdicts(self, nonce, error, kind):
        """A verdict has the nonce of a response; whether it has an error makes it ACK or NACK."""
        client = Delta(AB)
        client.ask(RDS, "r")

        client.ask(RDS, nonce=nonce, error=error)

        r = versions(AB, RDS, "r")
        assert kind == client.kinds()[-1]
        assert (r if kind == "ack" else {}) == client.heard[-1].acked
        assert (r if kind == "nack" else {}) == client.heard[-1].rejected

    @pytest.mark.parametrize("error", [None, "no"])
    @pytest.mark.parametrize("nonce", ["1", "stale", ""])
    def test_rule_60_names_of_any_request(self, nonce, error):
        """Names are taken, whether the request is also an ACK, a NACK, stale or neither."""
        client = Delta(world(routes={"r": "", "s": ""}))
        client.ask(RDS, "r")

        assert ["RDS s"] == said(client.ask(RDS, "s", nonce=nonce, error=error))

    def test_rule_61_subscribing_again(self):
        """Who subscribes again gets it again."""
        client = Delta(AB)
        [response] = client.ask(RDS, "r")
        client.ack(response)

        assert ["RDS r"] == said(client.ask(RDS, "r"))

    def test_rule_62_unsubscribing(self):
        """Unsubscribing is not answered, not even from names nobody knows."""
        client = Delta(AB)
        client.ask(RDS, "r")

        assert [] == client.ask(RDS, drop=["r", "phantom"])
        assert [] == client.publish(edited("RDS r"))

    @pytest.mark.parametrize(("name", "answer"), [("a", "CDS a"), ("x", "CDS -x")])
    def test_rule_63_name_beside_wildcard(self, name, answer):
        """Unsubscribing from a name while everything is wanted is answered."""
        client = Delta(AB)
        client.ask(CDS, "*", name)

        got = [r for r in client.ask(CDS, drop=[name]) if r.type_url == CDS]

        assert [answer] == said(got)

    def test_rule_64_legacy_wildcard_outlives_names(self):
        """Everything stays wanted when a name is added, until `*` is unsubscribed from."""
        client = Delta(AB)
        for response in client.ask(CDS):
            client.ack(response)
        [named, _] = client.ask(CDS, "a")
        client.ack(named)
        both = client.publish(edited("CDS a", "CDS b"))

        one = client.ask(CDS, drop=["*"], nonce=both[0].nonce) + client.publish(AB)

        assert ["CDS a b", "EDS a b"] == said(both)
        assert ["CDS a"] == said(r for r in one if r.type_url == CDS)

    def test_rule_65_nothing_left_is_not_everything(self):
        """Unsubscribing from the last name leaves nothing."""
        client = Delta(AB)
        client.ask(CDS, "*", "a")
        client.ask(CDS, drop=["*"])

        assert [] == client.ask(CDS, drop=["a"])
        assert [] == [r for r in client.publish(edited("CDS a", "CDS b")) if r.type_url == CDS]

    def test_rule_66_subscribed_and_unsubscribed(self):
        """A name in both lists is not wanted."""
        client = Delta(AB)

        assert [] == client.ask(CDS, "*", "a", drop=["*", "a"])
        assert [] == client.publish(edited("CDS a"))

    @pytest.mark.parametrize("type_url", [CDS, EDS, LDS, RDS, SDS])
    def test_rule_67_unknown_name(self, type_url):
        """An unknown name is answered at once, once, and delivered when it appears."""
        client = Delta(world())

        [response] = client.ask(type_url, "a")

        assert ("a",) == response.removed
        assert [] == client.publish(world("b"))

    def test_rule_67_unknown_name_appears(self):
        """A name that was unknown stays subscribed to."""
        client = Delta(world())
        client.ask(EDS, "a")

        assert ["EDS a"] == said(client.publish(AB))

    def test_rule_68_removed_and_created_again(self):
        """What comes back with the old version is delivered all the same."""
        client = Delta(AB).start("r")
        without = world("a", routes={"r": "a"})
        client.publish(without)
        client.wait(30)

        back = client.publish(AB) + client.wait(30)

        assert "CDS b" in said(back)

    def test_rule_69_only_what_the_client_knows(self):
        """A client is not told of removals of what it never asked for."""
        client = Delta(AB)
        client.ask(EDS, "a")

        assert [] == client.publish(world("a", routes={"r": "a"}))

    def test_rule_71_names(self):
        """Each resource carries its name and version, and the bytes of the Any."""
        from xds import messages

        [response] = Delta(AB).ask(LDS)

        parsed = messages.parse(
            "envoy.service.discovery.v3.DeltaDiscoveryResponse", encode_delta(response, b"")
        )
        [resource] = parsed.resources
        assert ("l", AB.get(LDS, "l").version) == (resource.name, resource.version)
        assert (LDS, AB.get(LDS, "l").body) == (resource.resource.type_url, resource.resource.value)


class TestVerdicts:
    def test_rule_24_nack_is_not_answered(self):
        """What was refused is not sent again."""
        client = Delta(AB)
        [response] = client.ask(RDS, "r")

        assert [] == client.nack(response)
        assert [] == client.publish(world("a b", routes={"r": "a b"}))
        assert [] == client.wait(1000)
        assert versions(AB, RDS, "r") == client.heard[-1].rejected

    def test_rule_24_refused_while_it_was_to_be_sent_again(self):
        """What turns out to be at fault is not sent again, though it had been about to be."""
        client = Delta(world("a b"))
        cds, eds = client.ask(CDS)
        client.ask(EDS, "a", "b")
        _, again = client.nack(cds, text="Error adding/updating cluster(s) b: unknown")
        waiting = client.nack(eds)

        assert ["EDS a"] == said([again])
        assert [] == waiting
        assert ["EDS b", "EDS -a"] == said(client.nack(again))

    def test_rule_73_innocents_are_delivered_again(self):
        """The clusters that Envoy does not blame are sent again, together."""
        client = Delta(world("a b c"))
        cds, *_ = client.ask(CDS)

        again = client.nack(cds, text="Error adding/updating cluster(s) b: unknown")

        assert ["CDS a c", "EDS a c"] == said(again)
        assert {"b"} == client.heard[-1].rejected.keys()

    def test_rule_73_suspects_are_delivered_singly(self):
        """When nobody is blamed each is sent alone, and once."""
        client = Delta(world("a b"))
        cds, *_ = client.ask(CDS)

        again = [r for r in client.nack(cds, text="Invalid duration") if r.type_url == CDS]
        client.ack(again[0])
        last = client.nack(again[1], text="Invalid duration")

        assert ["CDS a", "CDS b"] == said(again)
        assert [] == last
        assert {"b"} == client.heard[-1].rejected.keys()

    def test_rule_73_innocents_may_have_been_applied(self):
        """What was beside a refused cluster and is gone by then is removed, not forgotten."""
        client = Delta(world("a b"))
        cds, *_ = client.ask(CDS)
        client.publish(world())

        after = client.nack(cds, text="Error adding/updating cluster(s) a: no")

        assert ["CDS -b"] == said(after)

    def test_refused_removal_is_not_repeated(self):
        """A removal that is refused on its own is not sent again."""
        client = Delta(world("a b")).start()
        [removal] = [r for r in client.publish(world()) if r.type_url == CDS]

        assert [] == client.nack(removal)

    def test_rule_72_dropped_and_sent_since(self):
        """What was dropped is not sent again if the client has got it since."""
        client = Delta(world("a b"))
        cds, _ = client.ask(CDS)
        *_, eds = client.nack(cds)
        client.ask(EDS, "b")

        assert ["EDS a b"] == said([eds])
        assert [] == client.ack(eds)

    def test_rule_72_dropped_response(self):
        """A response that was skipped by the verdicts was not received."""
        client = Delta(world(routes={"q": "", "r": ""}))
        _, second = client.ask(RDS, "q", "r")

        assert ["RDS q"] == said(client.ack(second))

    def test_rule_72_ahead_of_its_subscription(self):
        """Endpoints sent too early for the client are sent again, if their ACK does not come."""
        client = Delta(AB)
        client.ask(CDS)
        assert [] == client.ask(EDS, "a", "b")

        assert 5.0 == client.stream.deadline
        assert [] == client.wait(4.9)
        assert ["EDS a b"] == said(client.wait(0.1))
        assert [] == client.wait(1000)

    @pytest.mark.parametrize("error", [None, "no"])
    def test_rule_72_not_what_came_behind_a_verdict(self, error):
        """Who gives a verdict on the response before was ready for the one behind it."""
        client = Delta(world("a"))
        _, first = client.ask(CDS)
        client.wait(5)
        _, behind = client.publish(world("a", edits={"CDS a": "2"}))
        assert [] == client.ask(EDS, "a")

        client.ask(EDS, nonce=first.nonce, error=error)

        assert ["EDS a"] == said([behind])
        assert [] == client.wait(1000)

    def test_rule_72_not_behind_other_updates(self):
        """What the client waits for does not wait for a verdict on something else."""
        client = Delta(AB)
        client.ask(CDS)
        client.ask(EDS, "a", "b")
        client.wait(3)
        assert ["EDS a"] == said(client.ask(EDS, "a"))

        assert ["EDS b"] == said(client.wait(2))

    def test_rule_113_one_update_in_flight(self):
        """While an update has no verdict, newer ones wait, and the newest is sent."""
        client = Delta(AB).start("r")
        [first] = client.publish(edited("EDS a"))
        assert [] == client.publish(edited(**{"EDS a": "3"}))
        assert [] == client.publish(edited(**{"EDS a": "4"}))

        [next_] = client.ack(first)

        newest = edited(**{"EDS a": "4"})
        assert versions(newest, EDS, "a") == {r.name: r.version for r in next_.resources}


def large(type_url, number, size, edit=""):
    bodies = {f"x{each}": f"{each}{edit}".encode().ljust(size) for each in range(number)}
    return Snapshot.of(Resource.of(type_url, name, body) for name, body in bodies.items())


@pytest.mark.parametrize(
    ("type_url", "first", "then"), [(EDS, [2, 2, 1], [2, 2, 1]), (CDS, [5], [2, 2, 1])]
)
def test_rule_118_large_updates_are_divided(type_url, first, then):
    """No response has more than a megabyte, but for the first of a collection (rule 57)."""
    client = Delta(large(type_url, 5, 400_000))

    names = [f"x{number}" for number in range(5)] if type_url == EDS else []
    responses = client.ask(type_url, *names)
    for response in responses:
        assert [] == client.ack(response)
    changed = client.publish(large(type_url, 5, 400_000, "again"))

    assert first == [len(response.resources) for response in responses]
    assert then == [len(response.resources) for response in changed]
    assert 5 == len({each.name for response in changed for each in response.resources})
    for response in changed:
        assert [] == client.ack(response)
    assert client.stream.state()[0].acked_version == changed[-1].version


def test_rule_118_removals_go_with_a_divided_update():
    """What is gone is told once, and a single large resource is sent all the same."""
    client = Delta(large(CDS, 5, 400_000))
    client.ack(client.ask(CDS)[0])

    changed = client.publish(large(CDS, 3, 2_000_000))

    assert ["CDS x0", "CDS x1", "CDS x2 -x3 -x4"] == said(changed)

import pytest
from conversation import CDS, EDS, LDS, RDS, SDS, Sotw, said, world

from xds.discovery import encode_sotw
from xds.exchange import ProtocolError
from xds.sotw import SotwRequest

AB = world("a b", routes={"r": "a b"})


def edited(*names, **edits):
    return world("a b", routes={"r": "a b"}, edits=dict.fromkeys(names, "2") | edits)


class TestRequests:
    def test_rule_6_no_type(self):
        """A request without a type that is about nothing known breaks the protocol."""
        client = Sotw(AB)

        with pytest.raises(ProtocolError, match="no type_url"):
            client.ask("", nonce="7")

    def test_rule_6_no_type_but_known_nonce(self):
        """A client that did not want what was sent ahead answers without a type; it is no NACK."""
        client = Sotw(AB)
        _, ahead = client.ask(CDS)

        unwanted = client.ask("", nonce=ahead.nonce)
        asked = client.ask(EDS, "a", "b")

        assert [] == unwanted
        assert ["EDS a b"] == said(asked)
        assert ["first", "stale", "first"] == client.kinds()

    def test_rule_8_unknown_type(self):
        """A type that we do not serve is no reason to end the stream."""
        client = Sotw(AB)

        assert [] == client.ask("type.googleapis.com/nobody.Knows", "a")

    def test_what_it_accepted_before(self):
        """The version of the first request is the last that was accepted on an earlier stream."""
        client = Sotw(AB)

        for type_url, names, version in (
            (CDS, (), AB.version(CDS)),
            (LDS, (), "unknown"),
            (RDS, ("r",), AB.version(RDS)),
            (EDS, ("a",), ""),
        ):
            client.ask(type_url, *names, version=version)

        clusters = {name: AB.get(CDS, name).version for name in ("a", "b")}
        routes = {"r": AB.get(RDS, "r").version}
        assert [clusters, {}, routes, {}] == [each.brought for each in client.heard]

    def test_rule_10_foreign_nonce(self):
        """The first request of a type is the first, even with a nonce of some other stream."""
        client = Sotw(AB)

        assert ["CDS a b", "EDS a b"] == said(client.ask(CDS, nonce="77", version="x"))
        assert ["first"] == client.kinds()

    @pytest.mark.parametrize("type_url", [CDS, LDS])
    def test_rule_19_empty_answer(self, type_url):
        """A collection is answered at once, even when it is empty."""
        client = Sotw(world())

        [response] = client.ask(type_url)

        assert () == response.resources
        assert response.version

    def test_rule_19_no_snapshot_yet(self):
        """Without a snapshot there is silence; the answer comes with the snapshot."""
        client = Sotw()

        assert [] == client.ask(CDS)
        assert ["CDS a b", "EDS a b"] == said(client.publish(AB))

    def test_rule_20_named_types_are_always_answered(self):
        """A reconnecting client is answered, whatever version it has."""
        client = Sotw(AB)

        assert ["EDS a b"] == said(client.ask(EDS, "a", "b", version=AB.version(EDS)))
        assert ["RDS r"] == said(client.ask(RDS, "r", version=AB.version(RDS)))

    def test_rule_20_collections_too(self):
        """So is one that has the very version of a collection: it may be what it has refused."""
        client = Sotw(AB)

        clusters, endpoints = client.ask(CDS, version=AB.version(CDS))
        client.ack(clusters)

        assert ["CDS a b", "EDS a b"] == said([clusters, endpoints])
        assert ["LDS l"] == said(client.ask(LDS, version=AB.version(LDS)))

    def test_rule_21_nonces_are_unique(self):
        """No nonce comes twice on a stream."""
        client = Sotw(AB)
        responses = client.ask(CDS) + client.ask(LDS) + client.ask(RDS, "r")

        assert len(responses) == len({response.nonce for response in responses})

    def test_rule_21_nonces_after_a_publication(self):
        """They go on from the number of what is published, the same for all, and never back."""
        old, new = Sotw(AB), Sotw(AB)
        old.ask(RDS, "r")
        for client in (old, new):
            client.ack(*client.ask(LDS))
        edits = [world("a b", routes={"r": "a b"}, edits={"LDS l": each}) for each in "23"]

        [first], [other] = (client.publish(edits[0], 3) for client in (old, new))
        old.ack(first)
        [again] = old.publish(edits[1], 1)

        assert first == other
        assert int(first.nonce) < int(again.nonce)

    def test_rule_22_ack(self):
        """An ACK is for the resources of its response, by name and version."""
        client = Sotw(AB)
        [response] = client.ask(RDS, "r")

        client.ack(response, "r")

        assert {"r": AB.get(RDS, "r").version} == client.heard[-1].acked
        [state] = client.stream.state()
        assert (response.version, False) == (state.acked_version, state.pending)

    def test_rule_22_ack_of_what_was_dropped(self):
        """An ACK is not for what the client did not want any more when it got the response."""
        client = Sotw(AB)
        [response] = client.ask(EDS, "a", "b")
        client.ask(EDS, "b")

        client.ack(response, "b")

        assert {"b": AB.get(EDS, "b").version} == client.heard[-1].acked

    def test_rule_23_old_version_is_no_nack(self):
        """A new nonce with an old version and no error is neither ACK nor NACK."""
        client = Sotw(AB)
        [response] = client.ask(LDS)

        client.ask(LDS, nonce=response.nonce, version="old")

        assert "stale" == client.kinds()[-1]

    def test_rule_24_nack_is_not_answered(self):
        """What was refused is not sent again, however often the client says so."""
        client = Sotw(AB)
        [response] = client.ask(RDS, "r")

        assert [] == client.nack(response, "r")
        assert [] == client.nack(response, "r")
        assert [] == client.publish(world("a b", routes={"r": "a b"}))
        assert [] == client.wait(1000)
        assert {"r": AB.get(RDS, "r").version} == client.heard[1].rejected

    def test_rule_40_gone_after_its_update_was_refused(self):
        """Who refuses an update goes on with what it brought, until that is removed."""
        client = Sotw(world("a", edits={"CDS a": "bad"}))
        [cds, _] = client.ask(CDS, version="older")

        assert [] == client.nack(cds, version="older")
        assert ["CDS"] == said(client.publish(world("")))
        assert [] == client.publish(world("a", edits={"CDS a": "bad"}))

    def test_rule_40_gone_after_its_update_was_refused_while_warming(self):
        """The acknowledgement of a cluster may come after the refusal of its update."""
        client = Sotw(world("a"))
        first, _ = client.ask(CDS)
        client.wait(5)
        second, _ = client.publish(world("a", edits={"CDS a": "bad"}))

        client.nack(second)
        client.ack(first)

        assert ["CDS"] == said(client.publish(world("")))[:1]

    @pytest.mark.parametrize("error", [None, "no"])
    def test_rule_25_names_of_a_verdict(self, error):
        """Names that come with an ACK or NACK are taken."""
        client = Sotw(world(routes={"r": "", "s": ""}))
        [response] = client.ask(RDS, "r")

        more = client.ask(RDS, "r", "s", nonce=response.nonce, version="x", error=error)

        assert "RDS s" in said(more)

    def test_rule_26_names_of_a_stale_request(self):
        """Names that come with an old nonce are taken, and it is no verdict on what is newer."""
        client = Sotw(world(routes={"r": "", "s": ""}))
        [first] = client.ask(RDS, "r")
        client.ack(first, "r")
        [second] = client.publish(world(routes={"r": "", "s": ""}, edits={"RDS r": "2"}))

        more = client.ask(RDS, "r", "s", nonce=first.nonce, version=first.version)

        assert ["RDS s"] == said(more)
        assert "stale" == client.kinds()[-1]
        assert second.nonce in client.stream._deliveries[RDS].in_flight

    def test_rule_26_names_under_way(self):
        """Names that are in a response under way are not answered again."""
        client = Sotw(AB)
        client.ask(CDS)

        assert [] == client.ask(EDS, "b", "a")

    def test_rule_26_names_under_way_and_taken_back(self):
        """What a newer response of a collection does not have is not under way any more."""
        client = Sotw(AB)
        client.ask(CDS, "a")
        client.ask(CDS)
        client.ask(CDS, "x")

        assert ["CDS a"] == said(client.ask(CDS, "a", "x"))[:1]

    def test_rule_27_superseded_acks(self):
        """An ACK settles all responses before it."""
        client = Sotw(AB)
        client.ask(CDS)
        client.wait(30)
        [second, _] = client.publish(edited("CDS a"))

        client.ack(second)

        assert not client.stream._deliveries[CDS].in_flight

    def test_rule_28_watch_made_anew(self):
        """A client that asks as before, because a cluster was changed, has its answer already."""
        client = Sotw(AB).start("r")
        [before] = client.publish(edited("EDS a"))
        client.ack(before, "a", "b")
        _, ahead = client.publish(edited("EDS a", "CDS a"))

        again = client.ack(before, "a", "b")

        assert ["EDS a"] == said([ahead])
        assert [] == again
        assert "stale" == client.kinds()[-1]
        assert [] == client.ack(ahead, "a", "b")

    def test_rule_29_added_names(self):
        """An added name is answered although the client was sent it before, unasked."""
        client = Sotw(AB)
        _, ahead = client.ask(CDS)
        client.ack(ahead)

        assert ["EDS a"] == said(client.ask(EDS, "a", nonce=ahead.nonce, version=ahead.version))

    def test_rule_30_removed_names(self):
        """A removed name is not answered, and when it is added again it is sent again."""
        client = Sotw(AB)
        [response] = client.ask(EDS, "a", "b")
        assert [] == client.ack(response, "a", "b")

        assert [] == client.ack(response, "a")
        assert ["EDS b"] == said(client.ack(response, "a", "b"))

    def test_rule_31_empty_list_after_names(self):
        """No names after some names is nothing, not everything."""
        client = Sotw(AB)
        [response] = client.ask(EDS, "a")

        assert [] == client.ack(response)
        assert [] == client.publish(edited("EDS a", "EDS b"))

    @pytest.mark.parametrize("type_url", [EDS, RDS, SDS])
    def test_rule_32_no_wildcard_for_named_types(self, type_url):
        """No names at first are everything for collections only."""
        assert [] == Sotw(AB).ask(type_url)

    @pytest.mark.parametrize(
        ("lists", "answers"),
        [
            (["*"], ["CDS a b"]),
            (["a *"], ["CDS a b"]),
            (["a"], ["CDS a"]),
            (["a a"], ["CDS a"]),
            (["a *", "a"], ["CDS a b"]),
            (["a *", "a", ""], ["CDS a b"]),
            (["", "a", ""], ["CDS a b"]),
            (["a", "a b"], ["CDS a", "CDS a b"]),
            (["a", "*"], ["CDS a", "CDS a b"]),
        ],
    )
    def test_rules_32_to_34_lists_of_names(self, lists, answers):
        """A list of names replaces the one before, with `*` for everything and no duplicates."""
        client = Sotw(AB)
        nonce = version = ""
        got = []
        for names in lists:
            for response in client.ask(CDS, *names.split(), nonce=nonce, version=version):
                if response.type_url == CDS:
                    nonce, version = response.nonce, response.version
                    got.append(response)

        assert answers == said(got)

    def test_rule_35_unknown_names(self):
        """An unknown name is remembered, and answered when it appears."""
        client = Sotw(world())

        assert [] == client.ask(RDS, "r")
        assert ["RDS r"] == said(client.publish(AB))

    def test_rule_36_unknown_endpoints(self):
        """Endpoints that nobody knows are answered with none, so that the client does not wait."""
        client = Sotw(AB)

        [response] = client.ask(EDS, "a", "gone")

        assert ["EDS a gone"] == said([response])
        assert b"\x0a\x04gone" == response.resources[1].body

    def test_rule_39_nothing_new(self):
        """Repetition is not answered, nor is a snapshot of the same content sent."""
        client = Sotw(AB).start("r")

        assert [] == client.publish(world("a b", routes={"r": "a b"}))
        assert [] == client.ask(CDS, nonce="1", version="x")
        assert [] == client.wait(1000)


class TestResponses:
    def test_rule_40_collections_are_complete(self):
        """One changed cluster brings all clusters."""
        client = Sotw(AB).start("r")

        assert ["CDS a b", "EDS a"] == said(client.publish(edited("CDS a")))

    def test_rule_41_others_are_partial(self):
        """Only the endpoints that have changed are sent."""
        client = Sotw(AB).start("r")

        assert ["EDS b"] == said(client.publish(edited("EDS b")))

    def test_rule_42_no_empty_responses(self):
        """What is not in a collection is never removed by an empty response."""
        client = Sotw(world("a", routes={"r": ""})).start("r")

        assert ["CDS", "LDS"] == said(client.publish(world()))

    def test_rule_45_versions_are_content(self):
        """Two servers with the same content tell the same versions."""
        one, other = Sotw(AB), Sotw(world("b a", routes={"r": "b a"}))

        assert [r.version for r in one.ask(CDS)] == [r.version for r in other.ask(CDS)]

    def test_rule_45_version_of_a_collection(self):
        """A client of everything is told the snapshot's own version."""
        response, *_ = Sotw(AB).ask(CDS)

        assert AB.version(CDS) == response.version

    def test_rule_46_one_version_twice(self):
        """Responses of one version are told apart by their nonces."""
        client = Sotw(AB)
        [first] = client.ask(EDS, "a")
        client.ack(first)
        [second] = client.ack(first, "a")

        client.ack(first, "a")

        assert first.version == second.version
        assert ["first", "ack", "subscribe", "stale"] == client.kinds()
        assert client.stream.state()[0].pending

    def test_rule_48_only_what_is_asked_for(self):
        """A type that nobody asked for is not sent."""
        client = Sotw(AB)
        client.ask(LDS)

        assert [] == client.publish(edited("CDS a", "EDS b", "RDS r"))

    def test_rule_97_parts_are_the_message(self):
        """The parts of a response are the `resources` of a DiscoveryResponse."""
        from xds import messages

        [response] = Sotw(AB).ask(LDS)

        parsed = messages.parse(
            "envoy.service.discovery.v3.DiscoveryResponse", encode_sotw(response, b"")
        )
        assert [(LDS, AB.get(LDS, "l").body)] == [
            (any_.type_url, any_.value) for any_ in parsed.resources
        ]

    def test_rule_101_one_route_configuration_per_response(self):
        """Each route configuration has its own response, and is refused alone."""
        client = Sotw(world(routes={"q": "", "r": "", "s": ""}))
        responses = client.ask(RDS, "q", "r", "s")

        client.ack(responses[0], "q", "r", "s")
        client.nack(responses[1], "q", "r", "s")
        client.ack(responses[2], "q", "r", "s")

        assert ["RDS q", "RDS r", "RDS s"] == said(responses)
        assert [set(), {"r"}, set()] == [set(h.rejected) for h in client.heard[1:]]
        [state] = client.stream.state()
        assert ("r",) == state.rejection.names

    def test_rule_101_endpoints_are_split_on_a_nack(self):
        """Of several, each is sent once more, alone; instead of the refused ones there are none."""
        client = Sotw(AB)
        [both] = client.ask(EDS, "a", "b")

        split = client.nack(both, "a", "b")
        after = client.ack(split[0], "a", "b") + client.nack(split[1], "a", "b")

        assert ["EDS a", "EDS b"] == said(split)
        assert ["EDS b"] == said(after)
        assert [AB.get(EDS, "b").body] != [resource.body for resource in after[0].resources]
        assert [{}, {"b"}] == [set(h.rejected) or {} for h in (client.heard[1], client.heard[3])]

    def test_rule_101_a_known_culprit_is_the_culprit(self):
        """What was refused already is at fault for a response that it was also in."""
        client = Sotw(AB)
        [alone] = client.ask(EDS, "a")
        [both] = client.ask(CDS)[1:]
        client.ask(EDS, "a", "b")
        client.nack(alone, "a", "b")

        assert ["EDS a", "EDS a b"] == said([alone, both])
        [after] = client.nack(both, "a", "b")
        assert ["EDS b a"] == said([after])
        assert alone.resources != after.resources[1:]  # nobody waits for what is empty

    def test_rule_101_what_is_newer_is_no_suspect(self):
        """A late refusal has nothing sent again of which a newer version is under way."""
        client = Sotw(AB)
        [both] = client.ask(EDS, "a", "b")
        client.publish(world("a b", edits={"EDS a": "2"}))
        [newer] = client.wait(25)

        assert ["EDS a"] == said([newer])
        assert ["EDS b"] == said(client.nack(both, "a", "b") + client.ack(newer, "a", "b"))

    def test_rule_100_a_late_refusal_asks_for_nothing(self):
        """What became of the innocent ones is told by the verdict on what is under way."""
        client = Sotw(AB)
        cds, _ = client.ask(CDS)
        client.publish(world())
        [empty] = client.wait(25)

        late = client.nack(cds, text="Error adding/updating cluster(s) b: no")
        assert ["CDS"] == said([empty])
        assert [] == late + client.ack(empty)

    def test_rule_100_a_late_refusal_is_not_about_what_is_newer(self):
        """A version that is under way is not sent again because an older one is refused."""
        client = Sotw(world("b", edits={"CDS b": "bad"}))
        bad, _ = client.ask(CDS)
        client.publish(AB)
        good, eds = client.wait(25)

        late = client.nack(bad, text="Error adding/updating cluster(s) b: no")
        assert ["CDS a b", "EDS a b"] == said([good, eds])
        assert [] == late + client.ask(EDS, "a", "b") + client.ack(eds, "a", "b")

    def test_rule_100_culprits_are_named(self):
        """Envoy tells which clusters it refused."""
        client = Sotw(AB)
        cds, _ = client.ask(CDS)

        client.nack(cds, text="Error adding/updating cluster(s) b: malformed IP address: x")

        assert {"b": AB.get(CDS, "b").version} == client.heard[-1].rejected

    def test_rule_102_culprits_are_not_named(self):
        """Otherwise all that were new are suspects."""
        client = Sotw(AB)
        cds, _ = client.ask(CDS)
        client.ack(cds)
        [cds, _] = client.publish(edited("CDS b"))

        client.nack(cds, text="Invalid duration")

        assert {"b"} == client.heard[-1].rejected.keys()

    def test_rule_102_a_collection_is_divided(self):
        """What is at fault is found by halves; all others get through, and it is sent once more."""
        client = Sotw(world("a b"))
        cds, _ = client.ask(CDS)
        client.ack(cds)
        [cds, _] = client.publish(world("a b c d e f", edits={"CDS a": "2"}))
        bad = world("e").get(CDS, "e")
        tried = []
        while cds is not None:
            names = {resource.name for resource in cds.resources}
            tried.append("".join(sorted(names)))
            answer = client.nack(cds, text="no") if bad in cds.resources else client.ack(cds)
            cds = next((response for response in answer if response.type_url == CDS), None)

        assert ["abcdef", "abc", "abcd", "abcde", "abcdf"] == tried
        assert {"e": bad.version} == client.heard[-2].rejected
        assert [] == client.publish(world("a b c d e f", edits={"CDS a": "2"}))

    def test_rule_100_innocents_are_accepted(self):
        """Beside a culprit that is named all others are sent again, for their ACK, without it."""
        client = Sotw(AB).start()
        cds, *_ = client.publish(world("a b c", edits={"CDS b": "2"}))

        again = client.nack(cds, text="Error adding/updating cluster(s) b: no")

        assert ["CDS a b c"] == said(again)[:1]
        assert AB.get(CDS, "b") in again[0].resources

    def test_rule_103_refused_versions_never_come_back(self):
        """What was refused is not sent again on a stream, whatever is published in between."""
        client = Sotw(AB).start("r")
        [refused] = client.publish(edited("RDS r"))
        client.nack(refused, "r")
        [other] = client.publish(edited(**{"RDS r": "3"}))
        client.ack(other, "r")

        assert [] == client.publish(edited("RDS r"))
        assert [] == client.ask(RDS, nonce=other.nonce, version=other.version)
        back = client.ask(RDS, "r", nonce=other.nonce, version=other.version)
        assert [] == back

    def test_rejection_ends_with_an_ack(self):
        """A rejection is shown until the client has accepted something else of that name."""
        client = Sotw(world(routes={"r": "", "s": ""}))
        r, s = client.ask(RDS, "r", "s")
        client.nack(r, "r", "s")
        client.ack(s, "r", "s")
        shown = client.stream.state()[0].rejection
        [r] = client.publish(world(routes={"r": "", "s": ""}, edits={"RDS r": "2"}))

        client.ack(r, "r", "s")

        assert ("r",) == shown.names
        assert client.stream.state()[0].rejection is None

    def test_rejection_ends_when_it_is_taken_back(self):
        """A client that has what is wanted is not told to have refused something."""
        client = Sotw(AB).start("r")
        [refused] = client.publish(edited("RDS r"))
        client.nack(refused, "r")

        assert [] == client.publish(AB)

        state = client.stream.state()[-1]
        assert (None, False) == (state.rejection, state.pending)
        assert state.acked_version == state.sent_version

    def test_rule_113_one_update_in_flight(self):
        """While an update has no verdict, newer ones wait, and the newest is sent."""
        client = Sotw(AB).start("r")
        [first] = client.publish(edited("RDS r"))
        assert [] == client.publish(edited(**{"RDS r": "3"}))
        assert [] == client.publish(edited(**{"RDS r": "4"}))

        [next_] = client.ack(first, "r")

        newest = edited(**{"RDS r": "4"}).get(RDS, "r")
        assert newest.version == next_.version

    def test_rule_113_not_for_ever(self):
        """A verdict that never comes holds nothing up for longer than its deadline."""
        client = Sotw(AB).start("r")
        client.publish(edited("EDS a"))
        assert [] == client.publish(edited("EDS b", **{"EDS a": "3"}))

        assert 25.0 == client.stream.deadline
        assert [] == client.wait(24)
        assert ["EDS a b"] == said(client.wait(1))
        assert client.stream.deadline is None


def test_late_verdicts_count():
    """A verdict is heard even after its time, and an unwanted response is no protocol error."""
    client = Sotw(AB)
    cds, eds = client.ask(CDS)
    client.wait(30)
    client.publish(edited("CDS a"))

    client.nack(cds, text="Error adding/updating cluster(s) b: no")
    client.ask("", nonce=eds.nonce)

    assert {"b"} == client.heard[1].rejected.keys()
    assert ["first", "nack", "stale"] == client.kinds()


def test_rule_3_requests_have_no_node():
    """The machine does not know who asks: nothing on a stream can re-key it."""
    assert "node" not in SotwRequest.__slots__

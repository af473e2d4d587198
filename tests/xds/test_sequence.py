"""Laws of order that hold in both protocols."""

import pytest
from conversation import CDS, EDS, LDS, RDS, Delta, Sotw, said, world

A = world("a", routes={"r": "a"})
AB = world("a b", routes={"r": "a b"})
B = world("b", routes={"r": "b"})

both = pytest.mark.parametrize("make", [Sotw, Delta])


def of(type_url, responses):
    return [r for r in responses if r.type_url == type_url]


def acked(client, responses):
    """Accept responses in turn, and return what comes next."""
    names = {EDS: ["a", "b"], RDS: ["r"]}
    return [after for r in responses for after in client.ack(r, *names.get(r.type_url, ()))]


@both
def test_rule_78_order_of_types(make):
    """Clusters, their endpoints, listeners and routes are sent in this order."""
    client = make(A).start("r")
    edits = dict.fromkeys(("CDS a", "EDS a", "LDS l", "RDS r"), "2")

    first = client.publish(world("a", routes={"r": "a"}, edits=edits))
    then = client.ack(first[0])

    assert ["CDS a", "EDS a"] == said(first)
    assert ["LDS l", "RDS r"] == said(then)


@both
@pytest.mark.parametrize(("type_url", "names"), [(RDS, ["r"]), (LDS, [])])
def test_rule_78_first_routes_after_their_clusters(make, type_url, names):
    """While clusters wait for a verdict on others, so do the first routes that lead to them."""
    client = make(world("a"))
    clusters = client.ask(CDS)
    client.ask(type_url, *names)

    meanwhile = client.publish(AB)
    then = client.ack(clusters[0])

    assert [] == of(CDS, meanwhile) + of(type_url, meanwhile)
    assert [CDS, EDS, type_url] == [r.type_url for r in then]


@both
def test_rule_78_first_routes_do_not_wait_for_ever(make):
    """A client that never gives its verdict on clusters gets its first routes all the same."""
    client = make(world("a"))
    client.ask(CDS)
    client.ask(RDS, "r")
    client.publish(AB)

    assert [] == of(RDS, client.wait(4))
    assert ["RDS r"] == said(of(RDS, client.wait(1)))


@both
def test_rule_79_endpoints_behind_clusters(make):
    """A changed cluster brings its endpoints, unchanged and unasked, in the same breath."""
    client = make(AB).start("r")

    changed = client.publish(world("a b", routes={"r": "a b"}, edits={"CDS b": "2"}))

    assert "EDS b" == said(changed)[1]
    assert [AB.get(EDS, "b").body] == [r.body for r in changed[1].resources]


@both
def test_rule_79_shared_endpoints(make):
    """A new cluster on endpoints that the client has brings them again."""
    client = make(world("a@s")).start()

    assert "EDS s" == said(client.publish(world("a@s b@s")))[1]


@both
def test_rule_79_even_while_endpoints_are_in_flight(make):
    """Endpoints behind a cluster do not wait for the verdict on endpoints before."""
    client = make(AB).start("r")
    client.publish(world("a b", routes={"r": "a b"}, edits={"EDS a": "2"}))

    after = client.publish(world("a b", routes={"r": "a b"}, edits={"CDS a": "2"}))

    assert "EDS a" in said(after)


@both
def test_rule_80_routes_wait_for_clusters(make):
    """A route to a new cluster is sent when the client has acknowledged the cluster."""
    client = make(A).start("r")

    clusters = client.publish(AB)
    meanwhile = of(RDS, client.ack(clusters[1], "a", "b"))
    then = client.ack(clusters[0])

    assert "RDS r" not in said(clusters)
    assert [] == meanwhile
    assert ["RDS r"] == said(then)


@both
def test_rule_80_not_for_ever(make):
    """A client that never acknowledges a cluster gets its routes after the deadline."""
    client = make(A).start("r")
    client.publish(AB)

    assert client.stream.deadline <= 20.0
    assert [] == of(RDS, client.wait(19))
    assert ["RDS r"] == said(of(RDS, client.wait(1)))
    assert [] == client.wait(1000)


@both
def test_rule_80_routes_to_known_clusters_do_not_wait(make):
    """A change of weights is sent at once, whatever becomes of other clusters."""
    client = make(A).start("r")

    at_once = client.publish(world("a z", routes={"r": "a"}, edits={"RDS r": "2"}))

    assert "RDS r" in said(at_once)


@both
def test_rule_80_first_routes_do_not_wait(make):
    """A client that has no routes yet is given them at once."""
    client = make(A)
    client.ask(CDS)

    assert ["RDS r"] == said(client.ask(RDS, "r"))


@both
def test_rule_80_new_listener_waits(make):
    """A changed listener waits for the clusters of its new routes."""
    client = make(A).start("r")

    clusters = client.publish(world("a b", routes={"r": "a", "s": "b"}))
    then = client.ack(clusters[0])

    assert [] == of(LDS, clusters)
    assert ["LDS l"] == said(then)


@both
def test_rule_80_refused_cluster(make):
    """A NACK does not open the barrier for a new cluster; the deadline does."""
    client = make(A).start("r")
    clusters = client.publish(AB)

    refused = client.nack(clusters[0], text="Error adding/updating cluster(s) b: no")

    assert [] == of(RDS, refused)
    assert ["RDS r"] == said(of(RDS, client.wait(20)))


@both
def test_rule_80_refused_update(make):
    """After a refused update the client still has a cluster to route to."""
    client = make(A).start("r")
    edits = {"CDS a": "bad", "RDS r": "2"}
    clusters = client.publish(world("a", routes={"r": "a"}, edits=edits))

    refused = client.nack(clusters[0], text="Error adding/updating cluster(s) a: no")

    assert ["RDS r"] == said(refused)


@both
def test_rule_80_removed_and_back(make):
    """A cluster that was removed a moment ago has to be acknowledged anew, whatever it was."""
    client = make(A).start("r")
    removal = acked(client, of(RDS, acked(client, client.publish(B))))[0]

    back = client.publish(A)
    removed = client.ack(removal)
    clusters = of(CDS, back + removed)

    assert {"sotw": "CDS b", "delta": "CDS -a"}[kind(client)] == said([removal])[0]
    assert [] == of(RDS, back + removed)
    assert {"sotw": ["CDS a b"], "delta": ["CDS a"]}[kind(client)] == said(clusters)
    assert ["RDS r"] == said(client.ack(clusters[0]))


@both
def test_rule_81_endpoints_do_not_wait(make):
    """Endpoints never wait for the acknowledgement of clusters."""
    client = make(A)
    client.ask(CDS)

    after = client.publish(AB) + client.ask(EDS, "a", "b")

    assert "EDS b" in said(of(EDS, after))


@both
def test_rule_82_change_while_warming(make):
    """Clusters do not wait for others to be warm, once the client has them in its hands."""
    client = make(A).start("r")
    _, endpoints = client.publish(AB)

    meanwhile = client.publish(world("a b c", routes={"r": "a c"}))
    then = client.ack(endpoints, "a", "b")

    assert [] == of(CDS, meanwhile)
    assert {"sotw": ["CDS a b c"], "delta": ["CDS c"]}[kind(client)] == said(of(CDS, then))
    assert [] == of(RDS, meanwhile + then)


@both
def test_rule_82_change_while_nothing_is_said(make):
    """A client that says nothing at all about its clusters is sent others after a while."""
    client = make(A).start("r")
    client.publish(AB)
    client.publish(world("a b c", routes={"r": "a c"}))

    assert [] == of(CDS, client.wait(4.9))
    assert {"sotw": ["CDS a b c"], "delta": ["CDS c"]}[kind(client)] == said(
        of(CDS, client.wait(0.1))
    )


@both
def test_rule_84_listeners_do_not_tell(make):
    """The acknowledgement of a listener says nothing about clusters."""
    client = make(A)
    client.ack(client.ask(CDS)[0])
    [listener] = client.ask(LDS)
    acked(client, client.ask(RDS, "r"))

    clusters = client.publish(AB)

    assert [] == of(RDS, client.ack(listener))
    assert ["RDS r"] == said(of(RDS, client.ack(clusters[0])))


@both
def test_rule_85_routes_of_a_changed_listener(make):
    """A changed listener goes on with the routes that the client has; they are not sent again."""
    client = make(A).start("r")

    changed = client.publish(world("a", routes={"r": "a"}, edits={"LDS l": "2"}))

    assert ["LDS l"] == said(changed)


@both
def test_rule_86_routes_of_a_removed_listener(make):
    """A client that goes on asking for the routes of a removed listener is left alone."""
    client = make(A).start("r")

    gone = client.publish(world("a")) + client.wait(100)

    assert not [r for r in of(RDS, gone) if r.resources]


@both
def test_rule_88_clusters_outlive_their_routes(make):
    """A removed cluster stays until the client has acknowledged routes without it."""
    client = make(A).start("r")

    clusters = client.publish(B)
    routes = of(RDS, acked(client, clusters))
    last = acked(client, routes)

    assert {"sotw": "CDS a b", "delta": "CDS b"}[kind(client)] == said(clusters)[0]
    assert ["RDS r"] == said(routes)
    assert {"sotw": "CDS b", "delta": "CDS -a"}[kind(client)] == said(last)[0]


@both
def test_rule_88_not_for_ever(make):
    """A client that never acknowledges its routes loses the removed cluster after the deadline."""
    client = make(A).start("r")
    acked(client, client.publish(B))

    removed = client.wait(19.9) + client.wait(0.1)

    assert {"sotw": "CDS b", "delta": "CDS -a"}[kind(client)] in said(removed)
    assert client.stream.deadline is None or client.stream.deadline > client.clock()


@both
def test_rule_88_clusters_that_are_named(make):
    """Who names its clusters, as gRPC does, acknowledges routes first and uses them later."""
    client = make(A)
    for type_url, name in ((LDS, "l"), (RDS, "r"), (CDS, "a"), (EDS, "a")):
        for response in client.ask(type_url, name):
            client.ack(response, name)

    routes = client.publish(B)
    silent = acked(client, routes)
    both_clusters = client.ask(CDS, "a", "b") if make is Sotw else client.ask(CDS, "b")
    still_silent = [each for r in both_clusters for each in client.ack(r, "a", "b")]

    assert ["RDS r"] == said(routes)
    assert [] == silent
    assert {"sotw": "CDS a b", "delta": "CDS b"}[kind(client)] == said(both_clusters)[0]
    assert [] == still_silent
    removed = client.wait(19.9) + client.wait(0.1)
    assert {"sotw": "CDS b", "delta": "CDS -a"}[kind(client)] == said(removed)[0]


@both
def test_rule_88_unused_clusters_go_at_once(make):
    """A cluster that no route of the client needs is removed in the same response."""
    client = make(world("a x", routes={"r": "a"})).start("r")

    removed = client.publish(A)

    assert {"sotw": "CDS a", "delta": "CDS -x"}[kind(client)] == said(removed)[0]


@both
def test_rule_88_endpoints_outlive_too(make):
    """The endpoints of a cluster that stays for a while are not removed either."""
    client = make(A).start("r")

    meanwhile = client.publish(B)

    assert ["EDS b"] == said(of(EDS, meanwhile))


def back(make, snapshot, before, cds=None):
    """Let a client with everything of an earlier snapshot begin another stream."""
    client = make(snapshot, before=before)
    responses = []
    for type_url, names in ((CDS, ()), (EDS, ("a",)), (LDS, ()), (RDS, ("r",))):
        if make is Sotw:
            version = cds if type_url == CDS and cds else before.version(type_url)
            responses += client.ask(type_url, *names, version=version)
        else:
            there = before.resources(type_url)
            have = {name: there[name].version for name in names or there}
            responses += client.ask(type_url, *names, have=have)
    return client, responses


@both
def test_rule_88_client_that_comes_back(make):
    """A change while the client is away reaches it in the same steps as any other."""
    client, first = back(make, B, before=A)

    clusters = of(CDS, first)
    routes = of(RDS, acked(client, clusters))
    last = of(CDS, client.ack(routes[0], "r"))

    assert {"sotw": ["CDS a b"], "delta": ["CDS b"]}[kind(client)] == said(clusters)
    assert [] == of(RDS, first)
    assert {A.get(EDS, "a").body, B.get(EDS, "b").body} >= {
        resource.body for response in of(EDS, first) for resource in response.resources
    }
    assert ["RDS r"] == said(routes)
    assert {"sotw": ["CDS b"], "delta": ["CDS -a"]}[kind(client)] == said(last)


@both
def test_rule_88_client_that_comes_back_not_for_ever(make):
    """A client that comes back and never accepts the routes loses the old clusters in the end."""
    client, first = back(make, B, before=A)
    acked(client, of(CDS, first))

    assert [] == of(CDS, client.wait(19))
    assert {"sotw": ["CDS b"], "delta": ["CDS -a"]}[kind(client)] == said(of(CDS, client.wait(1)))


@both
def test_rule_88_client_that_comes_back_without_routes(make):
    """A client that has asked for no routes when it accepts something has none."""
    client = make(world("b"), before=A)
    clusters, *_ = (
        client.ask(CDS, version=A.version(CDS))
        if make is Sotw
        else client.ask(CDS, have={"a": A.get(CDS, "a").version})
    )

    last = of(CDS, client.ack(clusters))

    assert {"sotw": "CDS a b", "delta": "CDS b"}[kind(client)] == said([clusters])[0]
    assert {"sotw": ["CDS b"], "delta": ["CDS -a"]}[kind(client)] == said(last)


@both
def test_rule_12_no_old_snapshot_is_kept(make):
    """The snapshot before is forgotten when the client has the newest routes."""
    client, first = back(make, B, before=A)

    for response in acked(client, of(CDS, first)):
        client.ack(response, "r")

    assert [None, None] == [client.stream._before, client.stream._sequence._before]


def test_rule_88_client_that_has_not_been_away_long():
    """A client that has the clusters of the snapshot is not given older ones again."""
    _, first = back(Sotw, B, before=A, cds=B.version(CDS))

    assert ["CDS b"] == said(of(CDS, first))


def kind(client):
    return type(client).__name__.lower()

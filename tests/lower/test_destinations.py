from __future__ import annotations

import pytest
from lower_world import World, document, forward, route, single, upstream, virtual_service

from translator.ir import Destination, Split, WeightedDestination

V1, V2 = (
    "{addr: 10.0.0.1, port: 80, metadata: {envoy.lb: {version: v1, zone: a}}}",
    ("{addr: 10.0.0.2, port: 80, metadata: {envoy.lb: {version: v2}}}"),
)


def divided(fallback="", selectors="{keys: [version]}, {keys: [zone, version]}"):
    return upstream(
        "t/u",
        f"static: {{hosts: [{V1}, {V2}], subsetSpec: {{selectors: [{selectors}] {fallback}}}}}",
    )


def multi(*members):
    listed = ", ".join(
        f"{{weight: {weight}, destination: {{{destination}}}}}" for weight, destination in members
    )
    return f"routeAction: {{multi: {{destinations: [{listed}]}}}}"


def group(name, *members):
    listed = ", ".join(
        f"{{weight: {weight}, destination: {{{destination}}}}}" for weight, destination in members
    )
    return document("UpstreamGroup", name, f"spec: {{destinations: [{listed}]}}")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("t/echo-typo", "did you mean 'echo'?"),
        ("/echo", "there is one of this name in namespace 't'"),
        ("s/ecko", "did you mean 't/echo'?"),
        ("t/zzzzzzzz", ""),
    ],
)
def test_unknown_upstream(reference, hint):
    """A reference to no upstream is reported at its name, with what may have been meant."""
    world = World(virtual_service(route("{prefix: /a}", single(reference))), upstream("t/echo"))

    assert [("PEN301", "ops/app", reference.split("/")[1])] == world.found
    assert hint == world.diagnostic("PEN301").help
    assert [("/a", "PEN301")] == world.faulty


@pytest.mark.parametrize("broken", [True, False])
def test_invalid_upstream(broken):
    """An upstream that is itself invalid has its own finding; the route is only affected."""
    body = "static: {hosts: oops}" if broken else 'static: {hosts: [{addr: "a b", port: 1}]}'
    world = World(
        virtual_service(route("{prefix: /a}", single("t/u"), name="x")), upstream("t/u", body)
    )

    assert ([] if broken else ["PEN415"]) == world.codes
    assert [("/a", "PEN316")] == world.faulty
    assert [("VirtualService ops/app", "x", "Upstream t/u")] == [
        (str(affected.resource), affected.route, str(affected.cause))
        for affected in world.lowered.affected
    ]
    if not broken:
        assert ["/a"] == world.suffering("PEN415")


def test_weights():
    """A weight of zero beside others stays."""
    world = World(
        virtual_service(route("", multi((0, forward("t/u")), (2, forward("t/v"))))),
        upstream("t/u"),
        upstream("t/v"),
    )

    (made,) = world.routes
    assert (
        Split(
            members=(
                WeightedDestination(destination=Destination(cluster="u_t"), weight=0),
                WeightedDestination(destination=Destination(cluster="v_t"), weight=2),
            )
        )
        == made.action
    )
    assert made.valid


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([(0, forward("t/u")), (0, forward("t/u"))], "PEN403"),
        ([(2**32 - 1, forward("t/u")), (1, forward("t/u"))], "PEN403"),
        ([], "PEN412"),
    ],
)
def test_bad_weights(members, code):
    """Weights must sum to something that Envoy can count, and there must be some."""
    in_route = World(virtual_service(route("{prefix: /a}", multi(*members))), upstream("t/u"))
    in_group = World(
        virtual_service(
            route("{prefix: /a}", "routeAction: {upstreamGroup: {name: g, namespace: t}}")
        ),
        upstream("t/u"),
        group("t/g", *members),
    )

    assert [(code, "ops/app", "destinations")] == in_route.found
    assert [(code, "t/g", "destinations")] == in_group.found
    assert [("/a", code)] == in_route.faulty == in_group.faulty


def test_bad_member():
    """A bad member marks itself, and the good ones keep their weights."""
    world = World(
        virtual_service(
            route("{prefix: /a}", multi((1, forward("t/none", "{a: b}")), (99, forward("t/u"))))
        ),
        upstream("t/u"),
    )

    (made,) = world.routes
    assert [(1, ("PEN301",)), (99, ())] == [
        (member.weight, member.faults) for member in made.action.members
    ]
    assert ((), False) == (made.faults, made.valid)
    assert ["PEN301"] == world.codes
    assert ["/a"] == world.suffering("PEN301")


def test_group():
    """A group is expanded where it is used; an empty namespace is that of the group."""
    action = "routeAction: {upstreamGroup: {name: g, namespace: t}}"
    world = World(
        virtual_service(route("{prefix: /a}", action), route("{prefix: /b}", action)),
        upstream("t/u"),
        group("t/g", (1, forward("/u")), (1, forward("/none"))),
    )

    assert [("PEN301", "t/g", "none")] == world.found
    assert ["/a", "/b"] == world.suffering("PEN301")
    assert [[(), ("PEN301",)]] * 2 == [
        [member.faults for member in made.action.members] for made in world.routes
    ]
    assert {"UpstreamGroup t/g"} == {str(each.cause) for each in world.lowered.affected}


def test_unknown_group():
    """A reference to no group is reported at its name."""
    world = World(virtual_service(route("{prefix: /a}", "routeAction: {upstreamGroup: {name: g}}")))

    assert [("PEN302", "ops/app", "g")] == world.found
    assert [("/a", "PEN302")] == world.faulty


@pytest.mark.parametrize(
    ("subset", "upstreams", "code", "hint"),
    [
        ("{version: v1}", divided(), None, ""),
        ("{version: v1, zone: a}", divided(), None, ""),
        ('{version: v2, zone: ""}', divided(), None, ""),
        ("{}", divided(), None, ""),
        ("{versio: v1}", divided(), "PEN309", "did you mean 'version'?; its selectors: "),
        ("{zone: a}", divided(), "PEN309", "'version'; 'version', 'zone'"),
        ("{version: v1}", upstream("t/u"), "PEN310", "'version'"),
        ("{version: v1}", divided(selectors=""), "PEN310", "'version'"),
        ("{version: v3}", divided(), "PEN311", "version: v1 | version: v2"),
        ("{version: v2, zone: a}", divided(), "PEN311", "version: v1, zone: a"),
    ],
)
def test_subsets(subset, upstreams, code, hint):
    """A subset has exactly the keys of one selector, and some endpoint should be in it."""
    world = World(virtual_service(route("", single("t/u", subset))), upstreams)

    assert ([code] if code else []) == world.codes
    assert world.routes[0].valid == (code in {None, "PEN311"})
    if code:
        assert hint in world.diagnostic(code).help


@pytest.mark.parametrize(
    ("fallback", "effect"),
    [
        ("", "all endpoints of 't/u' answer in its place"),
        (", fallbackPolicy: NO_FALLBACK", "requests get 503"),
        (
            ", fallbackPolicy: DEFAULT_SUBSET, defaultSubset: {values: {version: v1}}",
            "the default subset of 't/u' (version: v1) answers in its place",
        ),
    ],
)
def test_empty_subset(fallback, effect):
    """A subset without endpoints is a warning that says who answers in its place."""
    world = World(virtual_service(route("", single("t/u", "{version: v9}"))), divided(fallback))

    assert effect == world.diagnostic("PEN311").effect


def test_unknown_endpoints():
    """Where nothing says which endpoints a Service has, no subset is empty for certain."""
    kube = "kube: {serviceName: s, servicePort: 80, subsetSpec: {selectors: [{keys: [version]}]}}"
    service = document("Service", "t/s", "spec: {ports: [{port: 80}]}")
    endpoints = document("Endpoints", "t/s", "subsets: []")
    routes = virtual_service(route("", single("t/u", "{version: v1}")))

    unknown = World(routes, upstream("t/u", kube), service)
    none = World(routes, upstream("t/u", kube), service, endpoints)

    assert [] == unknown.codes
    assert "'t/u' has no endpoint: 503" == none.diagnostic("PEN311").effect


def test_empty_subset_of_a_group():
    """A group's subset is checked once, at the group."""
    action = "routeAction: {upstreamGroup: {name: g, namespace: t}}"
    world = World(
        virtual_service(route("{prefix: /a}", action), route("{prefix: /b}", action)),
        divided(),
        group("t/g", (1, forward("/u", "{version: v9}"))),
    )

    assert [("PEN311", "t/g")] == [found[:2] for found in world.found]


def test_broken_group_and_service():
    """What is broken has findings of its own; who needs it is affected."""
    broken_group = group("t/g", (1, forward("/u"))).replace("weight: 1", "weight: x")
    broken_service = document("Service", "t/s", "spec: {ports: x}")
    world = World(
        virtual_service(
            route("{prefix: /a}", "routeAction: {upstreamGroup: {name: g, namespace: t}}"),
            route("{prefix: /b}", single("t/u")),
        ),
        upstream("t/u", "kube: {serviceName: s, servicePort: 80}"),
        broken_group,
        broken_service,
    )

    assert [] == world.codes
    assert [("/a", "PEN316"), ("/b", "PEN316")] == world.faulty
    assert {
        ("Upstream t/u", "Service t/s"),
        ("VirtualService ops/app", "Upstream t/u"),
        ("VirtualService ops/app", "UpstreamGroup t/g"),
    } == {(str(each.resource), str(each.cause)) for each in world.lowered.affected}


def test_a_suggestion_among_very_many():
    """Of very many names those are compared that begin alike."""
    others = [upstream(f"t/svc-{number}") for number in range(400)]
    world = World(
        virtual_service(route(action=single("t/checkout-ap")), route(action=single("t/svc-40x"))),
        upstream("t/checkout-api"),
        *others,
    )

    assert ["did you mean 'checkout-api'?", "did you mean 'svc-40'?"] == sorted(
        found.help for found in world.diagnostics if found.code == "PEN301"
    )

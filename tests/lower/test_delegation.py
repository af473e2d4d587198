from __future__ import annotations

import pytest
from lower_world import HELLO, World, delegate, route, select, single, table, virtual_service

from translator.lower import walk

PARENT = "{prefix: /a}"
STRICT = "{prefix: /a, headers: [{name: X-Region, value: eu}], methods: [GET, POST]}"


@pytest.mark.parametrize(
    ("child", "served"),
    [
        (route("{prefix: /a/b}"), ["/a/b"]),
        (route("{prefix: /ab}"), ["/ab"]),
        (route("{exact: /a}"), ["exact /a"]),
        (route("{regex: /a/.*}"), ["regex /a/.*"]),
        (route("{regex: ^/a/.*}"), ["regex ^/a/.*"]),
        (route("{prefix: /a}, {prefix: /a/c}"), ["/a", "/a/c"]),
    ],
)
def test_child_inside(child, served):
    """A child whose every path begins with the parent's prefix is served."""
    world = World(virtual_service(delegate("t/a", PARENT)), table("t/a", child))

    assert served == world.served
    assert "PEN307" not in world.codes


@pytest.mark.parametrize(
    ("parent", "child", "place"),
    [
        (PARENT, route("{prefix: /b}"), "/b"),
        (PARENT, route("{prefix: /A}"), "/A"),
        (PARENT, route("{exact: /b/a}"), "/b/a"),
        (PARENT, route("{regex: /b.*}"), "/b.*"),
        (PARENT, route("{regex: /a|/b}"), "/a|/b"),
        (PARENT, route('{regex: "/a?b"}'), '"/a?b"'),
        (PARENT, route("{prefix: /a, caseSensitive: false}"), "/a"),
        (STRICT, route("{prefix: /a}"), None),
        (STRICT, route("{prefix: /a, headers: [{name: x-region, value: us}]}"), None),
        (STRICT, route("{prefix: /a, headers: [{name: x-region, value: eu}]}"), None),
        (
            STRICT,
            route("{prefix: /a, headers: [{name: x-region, value: eu}], methods: [GET, PUT]}"),
            None,
        ),
        ("{prefix: /a, queryParameters: [{name: q}]}", route("{prefix: /a}"), None),
    ],
)
def test_child_outside(parent, child, place):
    """
    A child that takes requests which its parent does not is marked as a whole; siblings go on.

    Nothing may answer in its place, for what it matches may be somebody else's.
    """
    good = (
        "{prefix: /a/ok, methods: [GET], headers: [{name: x-region, value: eu}],"
        " queryParameters: [{name: q}]}"
    )
    world = World(
        virtual_service(delegate("t/a", parent)), table("t/a", child, route(good, name="ok"))
    )

    assert ["PEN307"] == world.codes
    assert ["ok"] == [route.source.route for route in world.routes if route.valid]
    assert [False] == [route.replaceable for route in world.routes if not route.valid]
    diagnostic = world.diagnostic("PEN307")
    assert ("RouteTable", "t", "a") == (
        diagnostic.resource.kind,
        diagnostic.resource.namespace,
        diagnostic.resource.name,
    )
    assert [("the route above", 0)] == [
        (label, int(position.path.removesuffix(".yaml"))) for label, position in diagnostic.related
    ]
    if place is not None:
        assert place == world.text_at(diagnostic.position)


@pytest.mark.parametrize(
    ("parent", "child", "served"),
    [
        (STRICT, "{prefix: /a/x, methods: [GET], headers: [{name: x-region, value: eu}]}", 1),
        ("{prefix: /A, caseSensitive: false}", "{prefix: /a/x}", 1),
        ("{headers: [{name: x}]}", "{prefix: /any, headers: [{name: x}]}", 1),
        ("{headers: [{name: x}]}", "{prefix: /any}", 0),
    ],
)
def test_conditions(parent, child, served):
    """A child needs its parent's conditions, and may have fewer methods and more of the rest."""
    world = World(virtual_service(delegate("t/a", parent)), table("t/a", route(child)))

    assert served == len(world.served)


@pytest.mark.parametrize(
    ("inherits", "child", "match"),
    [
        ("inheritableMatchers: true", "{prefix: /a/x}", "GET|POST /a/x with header x-region: eu"),
        (
            "inheritableMatchers: true",
            "{prefix: /a/x, methods: [GET], headers: [{name: y}, {name: x-region, value: eu}]}",
            "GET /a/x with header x-region: eu and header y",
        ),
        (
            "inheritableMatchers: true, inheritablePathMatchers: true",
            "",
            "GET|POST /a with header x-region: eu",
        ),
        (
            "inheritableMatchers: true, inheritablePathMatchers: true",
            "{headers: [{name: y}]}",
            "GET|POST /a with header x-region: eu and header y",
        ),
    ],
)
def test_inheritance(inherits, child, match):
    """What a route makes inheritable stands in front of what the routes below say."""
    world = World(
        virtual_service(delegate("t/a", STRICT, rest=inherits)), table("t/a", route(child))
    )

    assert [match] == world.served
    assert [] == world.codes


def test_inheritance_goes_down_until_revoked():
    """An unset switch takes the parent's value, a false one ends it."""
    world = World(
        virtual_service(delegate("t/a", STRICT, rest="inheritableMatchers: true")),
        table(
            "t/a",
            delegate("t/b", "{prefix: /a/1}"),
            route("{prefix: /a/2}", rest="inheritableMatchers: false"),
        ),
        table("t/b", route("{prefix: /a/1/x}")),
    )

    assert ["GET|POST /a/1/x with header x-region: eu"] == world.served
    assert [("/a/2", "PEN307")] == world.faulty


def test_options_merge():
    """Options go down one by one; a route's own wins, and what answers by itself takes headers."""
    above = (
        "options: {timeout: 3s, prefixRewrite: /, headerManipulation:"
        " {requestHeadersToRemove: [x]}}"
    )
    world = World(
        virtual_service(delegate("t/a", PARENT, rest=above)),
        table(
            "t/a",
            route(
                "{prefix: /a/1}", single("t/u"), rest='options: {timeout: 5s, prefixRewrite: ""}'
            ),
            route("{prefix: /a/2}"),
        ),
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: u, namespace: t}\n"
        "spec: {pipe: {path: /u}}\n",
    )

    forwarding, answering = (route.options for route in world.routes)

    assert (5_000_000_000, "", ("x",)) == (
        forwarding.timeout,
        forwarding.prefix_rewrite,
        forwarding.headers.request_remove,
    )
    assert (None, None, ("x",)) == (
        answering.timeout,
        answering.prefix_rewrite,
        answering.headers.request_remove,
    )


@pytest.mark.parametrize(
    ("matcher", "place"),
    [
        ("{exact: /a}", "exact"),
        ("{regex: /a}", "regex"),
        ("{prefix: /a}, {prefix: /b}", "{"),
    ],
)
def test_bad_delegation(matcher, place):
    """A route delegates by at most one prefix; otherwise it stands for all that is below."""
    world = World(
        virtual_service(delegate("t/a", matcher), route("{prefix: /z}")),
        table("t/a", route("{prefix: /a}")),
    )

    (code, owner, text) = world.found[0]
    assert ("PEN308", "ops/app", True) == (code, owner, text.startswith(place))
    assert ["/z"] == world.served
    assert {"PEN308"} == {code for _, *codes in world.faulty for code in codes}
    assert all(route.action is None for route in world.routes if not route.valid)
    assert len(world.codes) == 1


@pytest.mark.parametrize(
    ("routes", "finding", "hint"),
    [
        ([delegate("t/b", PARENT)], ("PEN303", "ops/app", "b"), "did you mean"),
        ([delegate("/aa", PARENT)], ("PEN303", "ops/app", "aa"), "in namespace 't'"),
        (
            [route(PARENT, "delegateAction: {name: b, namespace: t}")],
            ("PEN303", "ops/app", "b"),
            "did you mean",
        ),
    ],
)
def test_no_table(routes, finding, hint):
    """A reference to no table is reported where it stands, and marks the route that holds it."""
    world = World(virtual_service(*routes), table("t/bb"), table("t/aa"))

    errors = [found for found in world.found if found[0] != "PEN314"]
    assert [finding] == errors
    assert hint in world.diagnostic(finding[0]).help
    assert [("/a", finding[0])] == world.faulty


def test_deprecated_reference():
    """The old form of a reference works."""
    world = World(
        virtual_service(route(PARENT, "delegateAction: {name: a, namespace: t}")),
        table("t/a", route(PARENT)),
    )

    assert ["/a"] == world.served


def test_own_namespace():
    """A reference without a namespace stays in that of the resource that holds it."""
    world = World(
        virtual_service(delegate("t/a", PARENT)),
        table("t/a", delegate("/b", PARENT)),
        table("t/b", route("{prefix: /a/b}")),
    )

    assert ["/a/b"] == world.served


CHOICE = [
    table("ops/own", route("{prefix: /own}", name="own")),
    table("t/one", route("{prefix: /one}", name="one"), labels="{team: a, level: '3'}"),
    table("t/two", route("{prefix: /two}", name="two"), labels="{team: b}"),
    table("u/three", route("{prefix: /three}", name="three"), labels="{team: a}"),
]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("{}", {"own"}),
        ('{namespaces: ["*"]}', {"own", "one", "two", "three"}),
        ("{namespaces: [t]}", {"one", "two"}),
        ("{namespaces: [t, u]}", {"one", "two", "three"}),
        ('{namespaces: [t, "*"]}', {"own", "one", "two", "three"}),
        ('{namespaces: ["*"], labels: {team: a}}', {"one", "three"}),
        ("{namespaces: [t], labels: {team: a}}", {"one"}),
        ('{namespaces: ["*"], labels: {team: a, level: "3"}}', {"one"}),
    ],
)
def test_selectors(selector, chosen):
    """A selector looks in its namespaces, else in its own, and wants all labels."""
    world = World(virtual_service(select(selector)), *CHOICE)

    assert chosen == {route.source.route for route in world.routes}


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("{key: team, operator: Equals, values: [a]}", {"one", "three"}),
        ("{key: team, operator: DoubleEquals, values: [a]}", {"one", "three"}),
        ("{key: team, operator: NotEquals, values: [a]}", {"own", "two"}),
        ("{key: team, operator: In, values: [a, b]}", {"one", "two", "three"}),
        ("{key: team, operator: NotIn, values: [a]}", {"own", "two"}),
        ("{key: level, operator: Exists}", {"one"}),
        ("{key: level, operator: DoesNotExist}", {"own", "two", "three"}),
        ('{key: level, operator: GreaterThan, values: ["2"]}', {"one"}),
        ('{key: level, operator: LessThan, values: ["4"]}', {"one"}),
        ('{key: team, operator: LessThan, values: ["4"]}', None),
    ],
)
def test_expressions(expression, chosen):
    """Expressions have the semantics of Kubernetes; tables without the label are not in a list."""
    selector = f'{{namespaces: ["*"], expressions: [{expression}]}}'
    world = World(virtual_service(select(selector)), *CHOICE)

    assert (chosen or set()) == {route.source.route for route in world.routes}
    assert ("PEN305" in world.codes) == (chosen is None)


@pytest.mark.parametrize(
    "selector",
    [
        "{labels: {a: b}, expressions: [{key: a, operator: Exists}]}",
        "{expressions: [{key: a, operator: Equals, values: [b, c]}]}",
        "{expressions: [{key: a, operator: In}]}",
        "{expressions: [{key: a, operator: Exists, values: [b]}]}",
        "{expressions: [{key: a, operator: GreaterThan, values: [b]}]}",
        '{expressions: [{key: "a b", operator: Exists}]}',
        '{expressions: [{key: a, operator: In, values: ["b c"]}]}',
    ],
)
def test_bad_selectors(selector):
    """A selector that cannot be evaluated marks its route."""
    world = World(virtual_service(select(selector, PARENT)))

    assert ["PEN304"] == world.codes
    assert [("/a", "PEN304")] == world.faulty


def test_empty_selection():
    """A selector without a result is a warning, and leaves nothing behind."""
    world = World(virtual_service(select("{labels: {is: none}}", PARENT)))

    assert ["PEN305"] == world.codes
    assert () == world.routes
    assert "it looks in 'ops' only" in world.diagnostic("PEN305").help


@pytest.mark.parametrize(("spaces", "hint"), [("[x, t]", "it looks in 't', 'x'"), ("['*']", "")])
def test_where_a_selector_looks(spaces, hint):
    """The help of an empty selection says where nothing was found."""
    world = World(virtual_service(select(f"{{namespaces: {spaces}}}")))

    assert world.diagnostic("PEN305").help.startswith(hint)


def test_cycle():
    """A cycle is reported on the table that closes it; only that branch ends."""
    world = World(
        virtual_service(delegate("t/a", PARENT)),
        table("t/a", delegate("t/b", PARENT), route("{prefix: /a/1}")),
        table("t/b", delegate("t/c", PARENT), route("{prefix: /a/2}")),
        table("t/c", delegate("t/a", PARENT), route("{prefix: /a/3}")),
    )

    diagnostic = world.diagnostic("PEN306")
    assert "c" == diagnostic.resource.name
    assert "t/a -> t/b -> t/c -> t/a" in diagnostic.message
    assert ["/a/3", "/a/2", "/a/1"] == world.served
    assert [("/a", "PEN306")] == world.faulty
    assert 3 == len(diagnostic.related)


def test_table_that_selects_itself():
    """A table that selects itself is a cycle, and its siblings are served."""
    world = World(
        virtual_service(delegate("t/a", PARENT)),
        table("t/a", select("{}", PARENT)),
        table("t/b", route("{prefix: /a/b}")),
    )

    assert ["PEN306"] == world.codes
    assert ["/a/b"] == world.served
    assert "/a" == str(world.routes[-1].match)


def test_depth_is_bounded():
    """A long chain of tables is a finding, not a crash."""
    chain = [table(f"t/t{n}", delegate(f"t/t{n + 1}", PARENT)) for n in range(200)]
    world = World(virtual_service(delegate("t/t0", PARENT)), *chain, table("t/t200"))

    assert ["PEN308"] == world.codes


def test_number_of_routes_is_bounded(monkeypatch):
    """Tables that delegate to one another twice are a finding, not millions of routes."""
    monkeypatch.setattr(walk, "_MAX_ROUTES", 1000)
    twice = [
        table(f"t/t{n}", *[delegate(f"t/t{n + 1}", PARENT, name=f"d{m}") for m in range(2)])
        for n in range(20)
    ]
    world = World(virtual_service(delegate("t/t0", PARENT)), *twice, table("t/t20"))

    assert {"PEN308"} == set(world.codes)
    assert len(world.routes) <= 1000


def test_a_table_that_repeats_too_much_costs_nobody_else_anything():
    """What one table repeats is counted against that one, and the others are entered as ever."""
    twice = [
        table(f"t/t{n}", *[delegate(f"t/t{n + 1}", "{prefix: /}", name=f"d{m}") for m in range(2)])
        for n in range(20)
    ]
    others = [table(f"u/u{n}", route("{prefix: /}", name=f"r{n}")) for n in range(3)]
    targets = ["u/u0", "t/t0", "u/u1", "t/t1", "u/u2"]
    host = virtual_service(*(delegate(each, "{prefix: /}") for each in targets))
    world = World(host, *twice, *others, table("t/t20", route("{prefix: /}")))

    made = {it.name for it in world.routes}
    assert {"u/u0/r0", "u/u1/r1", "u/u2/r2"} <= made
    assert {"PEN308", "PEN410", "PEN409"} >= set(world.codes)
    assert len(world.routes) < 3000


def test_same_table_twice():
    """A table reached twice gives its routes twice, under names that differ; a mistake is one."""
    bad = route("{prefix: /a/bad}", single("t/none"), name="bad")
    world = World(
        virtual_service(delegate("t/a", PARENT, name="x"), delegate("t/a", PARENT, name="y")),
        table("t/a", route("{prefix: /a/1}", name="one"), bad),
    )

    assert ["t/a/one", "t/a/bad", "t/a/one'", "t/a/bad'"] == [route.name for route in world.routes]
    assert ["PEN301"] == world.codes


def test_names_tell_the_way():
    """The tables above a table are part of its routes' names, the virtual service is not."""
    world = World(
        virtual_service(delegate("t/a", PARENT), delegate("t/b", PARENT)),
        table("t/a", delegate("t/b", PARENT)),
        table("t/b", route("{prefix: /a/b}", name="b")),
    )

    assert ["t/b/b@t/a", "t/b/b"] == [route.name for route in world.routes]


def test_unreached_table():
    """A table that nobody delegates to is checked all the same."""
    world = World(
        virtual_service(route()),
        table(
            "t/a", route("{prefix: /a}", single("t/none")), delegate("t/b"), route('{regex: "("}')
        ),
        table("t/b"),
    )

    assert [
        ("PEN314", "t/a", "a"),
        ("PEN301", "t/a", "none"),
        ("PEN402", "t/a", '"("'),
        ("PEN314", "t/b", "b"),
    ] == world.found


def test_tables_below_an_invalid_route_are_reached():
    """Who delegates in a wrong way delegates all the same."""
    world = World(virtual_service(delegate("t/a", "{exact: /a}")), table("t/a"))

    assert ["PEN308"] == world.codes


def test_broken_table():
    """A table that is itself broken marks the routes that lead there, without a second finding."""
    broken = table("t/a").replace("weight: 0", "weight: heavy")
    world = World(virtual_service(delegate("t/a", PARENT), route("{prefix: /z}")), broken)

    assert [] == world.codes
    assert [("/a", "PEN317")] == world.faulty
    (affected,) = world.lowered.affected
    assert ("VirtualService ops/app", "#0", "RouteTable t/a") == (
        str(affected.resource),
        affected.route,
        str(affected.cause),
    )


def test_broken_route():
    """A route that is not as the API says keeps its place and its matchers."""
    world = World(
        virtual_service(delegate("t/a", PARENT)),
        table("t/a", route("{prefix: /a/1}", HELLO + ", oops: 1"), route("{prefix: /a/2}")),
    )

    assert [] == world.codes
    assert [("/a/1", "PEN201")] == world.faulty
    assert ["/a/2"] == world.served


def test_victims_have_their_final_matches():
    """A mistake names the requests that suffer as they are after inheritance, and no others."""
    world = World(
        virtual_service(delegate("t/a", STRICT, rest="inheritableMatchers: true")),
        table("t/a", route("{prefix: /a/x}", single("t/none"))),
    )

    assert ["GET|POST /a/x with header x-region: eu"] == world.suffering("PEN301")

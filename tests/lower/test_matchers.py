from __future__ import annotations

import pytest
from lower_world import HELLO, World, route, single, upstream, virtual_service

from translator.ir import HeaderMatch, Match, PathKind, PathMatch, QueryMatch, ValueKind

SLASH = PathMatch(kind=PathKind.PREFIX, value="/")


@pytest.mark.parametrize(
    ("matcher", "match"),
    [
        ("{}", Match(path=SLASH)),
        ("{prefix: /a}", Match(path=PathMatch(kind=PathKind.PREFIX, value="/a"))),
        (
            "{exact: /a, caseSensitive: false}",
            Match(path=PathMatch(kind=PathKind.EXACT, value="/a", case_sensitive=False)),
        ),
        (
            "{regex: /a.*, caseSensitive: false}",
            Match(path=PathMatch(kind=PathKind.REGEX, value="/a.*")),
        ),
        (
            (
                "{headers: [{name: X-Tenant}, {name: x-debug, value: '1', invertMatch: true},"
                " {name: x, value: a.*, regex: true}, {name: x, regex: true}]}"
            ),
            Match(
                path=SLASH,
                headers=(
                    HeaderMatch(name="x-tenant", kind=ValueKind.PRESENT),
                    HeaderMatch(name="x-debug", kind=ValueKind.EXACT, value="1", invert=True),
                    HeaderMatch(name="x", kind=ValueKind.REGEX, value="a.*"),
                    HeaderMatch(name="x", kind=ValueKind.PRESENT),
                ),
            ),
        ),
        (
            (
                "{queryParameters: [{name: A}, {name: b, value: '1'},"
                " {name: c, value: x.*, regex: true}]}"
            ),
            Match(
                path=SLASH,
                query=(
                    QueryMatch(name="A", kind=ValueKind.PRESENT),
                    QueryMatch(name="b", kind=ValueKind.EXACT, value="1"),
                    QueryMatch(name="c", kind=ValueKind.REGEX, value="x.*"),
                ),
            ),
        ),
        ("{methods: [POST, GET, POST]}", Match(path=SLASH, methods=("GET", "POST"))),
    ],
)
def test_match(matcher, match):
    """Each form of a matcher has its one meaning; names of headers have no case."""
    world = World(virtual_service(route(matcher)))

    assert [match] == [route.match for route in world.routes]
    assert [] == world.codes


@pytest.mark.parametrize(
    ("matcher", "code", "place"),
    [
        ('{prefix: ""}', "PEN404", '""'),
        ("{prefix: a}", "PEN404", "a"),
        ("{exact: /a//b}", "PEN404", "/a//b"),
        ("{exact: /a/./b}", "PEN404", "/a/./b"),
        ("{exact: /a/..}", "PEN404", "/a/.."),
        ("{prefix: /a%2Fb}", "PEN404", "/a%2Fb"),
        ("{prefix: /a%zz}", "PEN404", "/a%zz"),
        ('{prefix: "/a b"}', "PEN404", '"/a b"'),
        ('{prefix: "/a?b"}', "PEN404", '"/a?b"'),
        ('{prefix: "/ä"}', "PEN404", '"/ä"'),
        ('{regex: "/("}', "PEN402", '"/("'),
        ('{regex: "/(?=a)"}', "PEN402", '"/(?=a)"'),
        ('{regex: ""}', "PEN402", '""'),
        ('{regex: "/[a-z]{1,200}"}', "PEN402", '"/[a-z]{1,200}"'),
        ('{headers: [{name: "a b"}]}', "PEN405", '"a b"'),
        ('{headers: [{name: a, value: "(", regex: true}]}', "PEN402", '"("'),
        (r'{headers: [{name: a, value: "x\n"}]}', "PEN405", r'"x\n"'),
        ('{queryParameters: [{name: a, value: "*", regex: true}]}', "PEN402", '"*"'),
        ('{methods: [GET, "G T"]}', "PEN406", '"G T"'),
        ('{methods: [""]}', "PEN406", '""'),
    ],
)
def test_mistakes(matcher, code, place):
    """A mistake is reported at its place, and nothing may answer in place of its matcher."""
    world = World(virtual_service(route(matcher + ", {prefix: /ok}")))

    assert [(code, "ops/app", place)] == world.found
    assert [((code,), False), ((code,), True)] == [
        (route.faults, route.replaceable) for route in world.routes
    ]


def test_words_of_re2():
    """The message has RE2's own words."""
    world = World(virtual_service(route('{regex: "/(a"}')))

    assert "missing )" in world.diagnostic("PEN402").message


def test_pseudo_headers_match():
    """Envoy matches pseudo-headers like any other."""
    world = World(virtual_service(route('{headers: [{name: ":authority", value: a.b}]}')))

    assert [] == world.codes


def test_routes_per_matcher():
    """Each matcher is one Envoy route, in order; a name tells which only if there are several."""
    world = World(
        virtual_service(
            route("{prefix: /a}, {prefix: /b}", name="two"), route("{prefix: /c}", name="one")
        )
    )

    assert [("ops/app/two/0", "/a"), ("ops/app/two/1", "/b"), ("ops/app/one", "/c")] == [
        (route.name, str(route.match)) for route in world.routes
    ]


@pytest.mark.parametrize(
    ("action", "code", "place"),
    [
        ("name: x", "PEN401", None),
        (HELLO + ", options: {timeout: 3s}", "PEN416", "timeout"),
        ("redirectAction: {}, options: {prefixRewrite: /a}", "PEN416", "prefixRewrite"),
        ('redirectAction: {pathRedirect: "/a b"}', "PEN413", '"/a b"'),
        ('redirectAction: {prefixRewrite: "/a//b"}', "PEN413", '"/a//b"'),
        ('redirectAction: {hostRedirect: "a b"}', "PEN413", '"a b"'),
        ('redirectAction: {regexRewrite: {pattern: {regex: "("}}}', "PEN402", '"("'),
        (
            r'redirectAction: {regexRewrite: {pattern: {regex: "(a)"}, substitution: "\\2"}}',
            "PEN413",
            r'"\\2"',
        ),
        (single("t/u") + ', options: {prefixRewrite: "/a%"}', "PEN413", '"/a%"'),
        (single("t/u") + r', options: {hostRewrite: "a\n"}', "PEN405", r'"a\n"'),
        (
            single("t/u") + ", options: {headerManipulation: {requestHeadersToRemove: [Host]}}",
            "PEN405",
            "Host",
        ),
        (
            single("t/u") + ", options: {headerManipulation: {responseHeadersToAdd:"
            ' [{header: {key: ":status", value: a}}]}}',
            "PEN405",
            '":status"',
        ),
        (
            single("t/u") + ", options: {headerManipulation: {responseHeadersToAdd:"
            ' [{header: {key: a, value: "50%"}}]}}',
            "PEN405",
            '"50%"',
        ),
    ],
)
def test_mistaken_actions(action, code, place):
    """A mistake in an action or option marks the route and is reported at its place."""
    world = World(virtual_service(route("{prefix: /a}", action)), upstream("t/u"))

    ((found, _, text),) = world.found
    assert code == found
    assert place in {None, text}
    assert [("/a", code)] == world.faulty


@pytest.mark.parametrize(
    "action",
    [
        "redirectAction: {pathRedirect: '/a?b=c', responseCode: FOUND}",
        r'redirectAction: {regexRewrite: {pattern: {regex: "(a)"}, substitution: "\\1\\\\"}}',
        "redirectAction: {hostRedirect: 'a.b:80'}",
        single("t/u") + ", options: {prefixRewrite: '/a?b=/../'}",
        single("t/u") + ", options: {headerManipulation: {requestHeadersToAdd:"
        " [{header: {key: a, value: '%%50 %REQ(:path?x):5% %START_TIME%'}}]}}",
    ],
)
def test_good_actions(action):
    """What Envoy accepts is no mistake."""
    world = World(virtual_service(route("{prefix: /a}", action)), upstream("t/u"))

    assert [] == world.codes
    assert ["/a"] == world.served

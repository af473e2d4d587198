from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lower_world import World, delegate, route, single, table, virtual_service


def h(*conditions):
    return ", headers: [" + ", ".join(f"{{{condition}}}" for condition in conditions) + "]"


STAGE = "name: stage, value: canary"


@pytest.mark.parametrize(
    ("earlier", "later", "code"),
    [
        # Paths.
        ("prefix: /a", "prefix: /a", "PEN409"),
        ("prefix: /a", "prefix: /ab", "PEN410"),
        ("prefix: /ab", "prefix: /a", None),
        ("prefix: /a", "exact: /a", "PEN410"),
        ("exact: /a", "prefix: /a", None),
        ("exact: /a", "exact: /a", "PEN409"),
        ("prefix: /A, caseSensitive: false", "prefix: /ab", "PEN410"),
        ("prefix: /a", "prefix: /ab, caseSensitive: false", None),
        ("prefix: /", "prefix: /ab, caseSensitive: false", "PEN410"),
        ("exact: /A, caseSensitive: false", "exact: /a", "PEN410"),
        ("exact: /a", "exact: /a, caseSensitive: false", None),
        ("regex: /a.*", "regex: /a.*", "PEN409"),
        ("regex: /a.*", "regex: /ab.*", None),
        ("regex: /a.*", "exact: /ab", "PEN410"),
        ("regex: /a", "exact: /ab", None),
        ("regex: /a.*", "prefix: /ab", None),
        ("prefix: /a", "regex: /a.*", "PEN410"),
        ("prefix: /ab", 'regex: "/ab?.*"', None),
        ("prefix: /a", "regex: /a.*|/b", None),
        # Headers.
        ("prefix: /a", "prefix: /a" + h(STAGE), "PEN410"),
        ("prefix: /a" + h(STAGE), "prefix: /a", None),
        ("prefix: /a" + h("name: stage"), "prefix: /a" + h(STAGE), "PEN410"),
        ("prefix: /a" + h(STAGE), "prefix: /a" + h("name: stage"), None),
        (
            "prefix: /a" + h("name: stage, value: c.*, regex: true"),
            "prefix: /a" + h(STAGE),
            "PEN410",
        ),
        (
            "prefix: /a" + h("name: stage, value: c, regex: true"),
            "prefix: /a" + h(STAGE),
            None,
        ),
        (
            "prefix: /a" + h("name: stage, value: other, invertMatch: true"),
            "prefix: /a" + h(STAGE),
            "PEN410",
        ),
        (
            "prefix: /a" + h(STAGE + ", invertMatch: true"),
            "prefix: /a" + h(STAGE),
            None,
        ),
        (
            "prefix: /a" + h(STAGE + ", invertMatch: true"),
            "prefix: /a" + h("name: stage, invertMatch: true"),
            "PEN410",
        ),
        (
            "prefix: /a" + h("name: stage, invertMatch: true"),
            "prefix: /a" + h(STAGE + ", invertMatch: true"),
            None,
        ),
        ("prefix: /a" + h("name: a", "name: b"), "prefix: /a" + h("name: b", "name: a"), "PEN409"),
        ("prefix: /a" + h("name: a"), "prefix: /a" + h("name: b", "name: a"), "PEN410"),
        # Query parameters and methods.
        (
            "prefix: /a, queryParameters: [{name: q}]",
            "prefix: /a, queryParameters: [{name: q, value: x}]",
            "PEN410",
        ),
        (
            "prefix: /a, queryParameters: [{name: q, value: y}]",
            "prefix: /a, queryParameters: [{name: q, value: x}]",
            None,
        ),
        ("prefix: /a, methods: [GET, PUT]", "prefix: /a, methods: [GET]", "PEN410"),
        ("prefix: /a, methods: [GET, PUT]", "prefix: /a, methods: [PUT, GET]", "PEN409"),
        ("prefix: /a, methods: [GET]", "prefix: /a, methods: [GET, PUT]", None),
        ("prefix: /a, methods: [GET]", "prefix: /a", None),
        ("prefix: /a", "prefix: /a, methods: [GET]", "PEN410"),
    ],
)
def test_shadow(earlier, later, code):
    """A route is hidden only if an earlier one provably takes all its requests."""
    world = World(
        virtual_service(route(f"{{{earlier}}}", name="one"), route(f"{{{later}}}", name="two"))
    )

    assert ([code] if code else []) == world.codes
    if code:
        diagnostic = world.diagnostic(code)
        assert "route 'one' of VirtualService ops/app" in diagnostic.message
        assert ["the earlier route"] == [label for label, _ in diagnostic.related]


def test_across_tables():
    """The owner of the earlier route is named, and the finding is on the later one."""
    world = World(
        virtual_service(delegate("t/a", "{prefix: /a}"), delegate("u/b", "{prefix: /a}")),
        table("t/a", route("{prefix: /a}", name="all")),
        table("u/b", route("{prefix: /a/b}")),
    )

    diagnostic = world.diagnostic("PEN410")
    assert "RouteTable u/b" == str(diagnostic.resource)
    assert "route 'all' of RouteTable t/a" in diagnostic.message


def test_invalid_routes_hide_nothing():
    """A route that is not served takes no request, and nobody misses its own."""
    bad = single("t/none")
    world = World(
        virtual_service(
            route("{prefix: /a}", bad), route("{prefix: /a}"), route("{prefix: /a}", bad)
        )
    )

    assert ["PEN301", "PEN301"] == world.codes


def test_one_route_does_not_hide_itself():
    """Matchers of one route may overlap, and one table may be reached twice."""
    world = World(
        virtual_service(delegate("t/a", "{prefix: /a}"), delegate("t/a", "{prefix: /a}")),
        table("t/a", route("{prefix: /a}, {prefix: /a/b}")),
    )

    assert [] == world.codes


PATHS = ["/", "/a", "/A", "/ab", "/a/b", "/b"]
VALUES = ["", "x", "xy"]
headers = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["h", "i"]),
        "value": st.sampled_from(VALUES),
        "regex": st.booleans(),
        "invert": st.booleans(),
    }
)
matchers = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["prefix", "exact", "regex"]),
        "path": st.sampled_from([*PATHS, "/a.*", "/(a|b)", "/a?b", "/a|/b", "/ab+"]),
        "case": st.booleans(),
        "headers": st.lists(headers, max_size=2),
        "methods": st.lists(st.sampled_from(["GET", "PUT"]), max_size=2),
    }
).filter(lambda matcher: matcher["kind"] == "regex" or matcher["path"] in PATHS)


def text_of(matcher):
    conditions = h(
        *(
            f"name: {it['name']}, value: '{it['value']}', regex: {str(it['regex']).lower()},"
            f" invertMatch: {str(it['invert']).lower()}"
            for it in matcher["headers"]
        )
    )
    return (
        f"{{{matcher['kind']}: '{matcher['path']}', caseSensitive: {str(matcher['case']).lower()}"
        f"{conditions}, methods: [{', '.join(matcher['methods'])}]}}"
    )


def takes(matcher, path, values, method):
    wanted = matcher["path"]
    if matcher["kind"] == "regex":
        on_path = re.fullmatch(wanted, path)
    else:
        if not matcher["case"]:
            path, wanted = path.lower(), wanted.lower()
        on_path = path.startswith(wanted) if matcher["kind"] == "prefix" else path == wanted
    on_method = not matcher["methods"] or method in matcher["methods"]
    return bool(on_path and on_method and all(has(it, values) for it in matcher["headers"]))


def has(header, values):
    value = values.get(header["name"])
    if value is None:
        matches = False
    elif not header["value"]:
        matches = True
    elif header["regex"]:
        matches = re.fullmatch(header["value"], value) is not None
    else:
        matches = value == header["value"]
    return matches != header["invert"]


@given(
    written=st.lists(matchers, min_size=2, max_size=4),
    path=st.sampled_from([*PATHS, "/abb", "/aab"]),
    values=st.dictionaries(st.sampled_from(["h", "i"]), st.sampled_from(["", "x", "xy", "z"])),
    method=st.sampled_from(["GET", "PUT", "POST"]),
)
@settings(max_examples=100, deadline=None)
def test_no_false_alarms(written, path, values, method):
    """No request takes a route that is said to be hidden."""
    world = World(
        virtual_service(
            *(route(text_of(matcher), name=f"r{n}") for n, matcher in enumerate(written))
        )
    )

    first = next((n for n, it in enumerate(written) if takes(it, path, values, method)), None)
    hidden = {
        int(re.search(r"name: r(\d)", world.files["0.yaml"][offset(world, diagnostic) :]).group(1))
        for diagnostic in world.diagnostics
    }
    assert first not in hidden


def offset(world, diagnostic):
    lines = world.files["0.yaml"].splitlines(keepends=True)
    position = diagnostic.position
    return sum(map(len, lines[: position.line - 1])) + position.column - 1

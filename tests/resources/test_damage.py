import pytest
from manifests import lines, manifest, reading, table

from translator.resources import BrokenRoute, Route
from translator.resources.matcher import Matcher

GOOD = "    - {name: good, directResponseAction: {status: 200}}\n"


def routes(text):
    """Read a route table with a route between two good ones; it begins at 7:7."""
    found = reading(table(f"  routes:\n{GOOD}    - {text}\n{GOOD}"))
    assert found.resource is not None, lines(found)
    return found.resource.spec.routes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{name: a, matchers: [{prefix: /a}], routeAction: {}}",
            BrokenRoute(
                name="a", matchers=(Matcher(prefix="/a"),), codes=("PEN204",), delegates=False
            ),
        ),
        (
            "{directResponseAction: {status: 1}}",
            BrokenRoute(name="", matchers=(), codes=("PEN205",), delegates=False),
        ),
        (
            "{matchers: [{prefix: /a}], delegateAction: {}}",
            BrokenRoute(
                name="", matchers=(Matcher(prefix="/a"),), codes=("PEN204",), delegates=True
            ),
        ),
        (
            "{name: a, matchers: [{prefix: /a}, {prefix: 1}], delegateAction: {name: b}}",
            BrokenRoute(name="a", matchers=None, codes=("PEN203",), delegates=True),
        ),
        (
            "{matcher: [{prefix: /a}]}",
            BrokenRoute(name="", matchers=None, codes=("PEN201",), delegates=False),
        ),
        (
            "{nane: a, matchers: [{prefix: /a}]}",
            BrokenRoute(
                name="", matchers=(Matcher(prefix="/a"),), codes=("PEN201",), delegates=False
            ),
        ),
        (
            "{name: 5, options: {timeout: 3, cors: {}}}",
            BrokenRoute(name="", matchers=(), codes=("PEN202", "PEN203"), delegates=False),
        ),
        (
            "{name: a, matchers: [{prefix: /a}], matchers: []}",
            BrokenRoute(name="a", matchers=None, codes=("PEN104",), delegates=False),
        ),
        (
            "{name: a, options: {timeout: 1s, timeout: 2s}}",
            BrokenRoute(name="a", matchers=(), codes=("PEN104",), delegates=False),
        ),
        (
            "{name: a, options: !foo {}}",
            BrokenRoute(name="a", matchers=(), codes=("PEN109",), delegates=False),
        ),
        (
            "{name: a, {{ x }}: b}",
            BrokenRoute(name="a", matchers=None, codes=("PEN203",), delegates=False),
        ),
        ("text", BrokenRoute(name="", matchers=None, codes=("PEN203",), delegates=False)),
        ("null", BrokenRoute(name="", matchers=None, codes=("PEN203",), delegates=False)),
    ],
)
def test_the_unit_of_damage_is_the_route(text, expected):
    """A broken route stands in its place; the others and the table are whole."""
    before, broken, after = routes(text)

    assert expected == broken
    assert [Route, Route] == [type(before), type(after)]


def test_the_routes_of_a_virtual_service_break_alone_too():
    """The routes under virtualHost are no different."""
    text = """\
  virtualHost:
    domains: [a.example.com]
    routes:
      - {name: bad, directResponseAction: {status: 1}}
      - {name: good, directResponseAction: {status: 200}}
"""
    found = reading(manifest("VirtualService", text))
    host = found.resource.spec.virtual_host

    assert ("a.example.com",) == host.domains
    assert [BrokenRoute, Route] == [type(route) for route in host.routes]
    assert found.broken is None


@pytest.mark.parametrize(
    "text",
    [
        table("  weight: x\n  routes: []"),
        table("  unknown: 1\n  routes: []"),
        table("  weight: 1\n  weight: 2\n  routes: []"),
        table("  routes: {}"),
        table("  routes: []\n  routes: []"),
        table("  routes: !foo []"),
        table("  []"),
        manifest("VirtualService", "  virtualHost: {domains: [5], routes: []}"),
        manifest("VirtualService", "  virtualHost: {options: {}, routes: []}"),
        manifest("VirtualService", "  virtualHost: []"),
        manifest("VirtualService", "  virtualHost: {routes: 5}"),
        manifest("Gateway", "  bindPort: x"),
    ],
)
def test_mistakes_elsewhere_break_the_resource(text):
    """What is wrong outside of a route makes the whole resource invalid."""
    found = reading(text)

    assert (None, found.ref) == (found.resource, found.broken)
    assert found.diagnostics


def test_a_broken_resource_still_reports_its_routes():
    """Mistakes in routes are reported even if the resource is broken by something else."""
    text = table("  weight: x\n  routes:\n    - {directResponseAction: {status: 1}}")

    assert ["5:11 PEN203", "7:39 PEN205"] == [
        " ".join(line.split()[:2]) for line in lines(reading(text))
    ]

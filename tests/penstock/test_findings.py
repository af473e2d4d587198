from __future__ import annotations

import json

import pytest

from penstock.findings import Report, as_github, as_json, as_text, sections
from penstock.findings.excerpt import WIDEST, excerpt, visible
from translator.lower import Affected
from translator.pipeline import Inputs
from translator.report import Diagnostic, Position, ResourceRef, Severity, rules
from translator.resources.kinds import KINDS

ROUTES = """\
kind: RouteTable
    -   x
spec:
\tname: échö
"""


def at(line=1, column=1, width=1, path="echo/routes.yaml"):
    return Position(path=path, line=line, column=column, width=width)


def finding(rule=rules.UNKNOWN_UPSTREAM, position=None, message="it is wrong", **more):
    return Diagnostic(
        rule=rule,
        resource=ResourceRef("RouteTable", "echo", "echo-routes"),
        position=position or at(),
        message=message,
        **more,
    )


def affected(namespace, name, route, upstream):
    return Affected(
        resource=ResourceRef("RouteTable", namespace, name),
        route=route,
        cause=ResourceRef("Upstream", "gloo-system", upstream),
    )


def report(*diagnostics, text=ROUTES, unreadable=None, **more):
    data = text if isinstance(text, bytes) else text.encode()
    return Report(
        diagnostics=diagnostics,
        inputs=Inputs(files={"echo/routes.yaml": data}, unreadable=unreadable or {}),
        locate=lambda origin: f"config/{origin}",
        **more,
    )


def lines(*diagnostics, colour=False, **more):
    return list(as_text(report(*diagnostics, **more), colour=colour))


def test_a_finding_in_full():
    """A finding has its place, its line with the culprit marked, help, effect and other places."""
    text = "\n" * 16 + "            name: echo-typo\n"
    diagnostic = finding(
        position=at(17, 19, 9),
        message="upstream 'gloo-system/echo-typo' does not exist",
        help="did you mean 'echo'?",
        effect="requests to /echo get 404; all other routes keep serving",
        related=(("delegated from here", at(13, 5, path="gateway/app.yaml")),),
    )

    expected = """\
config/echo/routes.yaml:17:19: error[PEN301]: upstream 'gloo-system/echo-typo' does not exist
   17 |             name: echo-typo
      |                   ^^^^^^^^^ did you mean 'echo'?
      = effect: requests to /echo get 404; all other routes keep serving
      = note: delegated from here (config/gateway/app.yaml:13:5)
1 error, 0 warnings in 1 file"""
    assert expected == "\n".join(lines(diagnostic, text=text))


@pytest.mark.parametrize(
    ("diagnostics", "unreadable", "expected"),
    [
        ([], {}, "No problems detected."),
        ([], {"x": "gone"}, "No problems detected."),
        ([finding()], {}, "1 error, 0 warnings in 1 file"),
        (
            [finding(), finding(), finding(rules.EMPTY_SELECTION)],
            {"x": "gone"},
            "2 errors, 1 warning in 2 files",
        ),
    ],
)
def test_the_last_line_sums_up(diagnostics, unreadable, expected):
    """The summary counts what was found, and in how much; a file that is unreadable counts too."""
    assert expected == lines(*diagnostics, unreadable=unreadable)[-1]


def test_who_is_affected_is_told_after_the_findings():
    """Who suffers from somebody else's mistake is told in a line, and not counted as a mistake."""
    victims = (
        affected("echo", "routes", "#0", "echo"),
        affected("echo", "routes", "canary", "echo"),
        *(affected("foxtrot", "routes", f"#{number}", "echo") for number in range(5)),
        Affected(
            resource=ResourceRef("UpstreamGroup", "ns", "all"),
            route="",
            cause=ResourceRef("Upstream", "gloo-system", "echo"),
        ),
    )

    *_, echo, foxtrot, group, last = lines(finding(), affected=victims)

    by = "by Upstream gloo-system/echo"
    assert f"affected: RouteTable echo/routes (routes '#0', 'canary') {by}" == echo
    assert f"affected: RouteTable foxtrot/routes (routes '#0', '#1', '#2', 2 more) {by}" == foxtrot
    assert f"affected: UpstreamGroup ns/all {by}" == group
    assert "1 error, 0 warnings in 1 file" == last


def test_the_list_of_the_affected_ends():
    """An upstream of everybody does not bury the finding; machines get the full list."""
    victims = tuple(affected("ns", f"table-{number:02}", "#0", "echo") for number in range(23))

    *_, before, more, _ = lines(finding(), affected=victims)

    assert "affected: RouteTable ns/table-19 (route '#0') by Upstream gloo-system/echo" == before
    assert "affected: 3 more resources" == more


def on(kind, rule=rules.UNKNOWN_UPSTREAM):
    resource = ResourceRef(kind, "ns", "name") if kind else None
    return Diagnostic(rule=rule, resource=resource, position=at(), message="it is wrong")


def test_sections_count_each_finding_once():
    """Each finding is counted for the kind of the guilty resource, one without it for files."""
    checked = report(
        on(None, rules.BAD_YAML),
        on("RouteTable"),
        on("RouteTable"),
        on("RouteTable", rules.EMPTY_SELECTION),
        on("Upstream", rules.EMPTY_SUBSET),
        on("EndpointSlice"),
        on("AuthConfig", rules.UNSUPPORTED_KIND),
        kinds=frozenset({"Gateway", "RouteTable", "Upstream", "Service", "EndpointSlice"}),
    )

    assert [
        "Checking files... 1 error (1 file)",
        "Checking gateways... OK",
        "Checking virtual services... none",
        "Checking route tables... 2 errors, 1 warning",
        "Checking upstreams... 1 warning",
        "Checking upstream groups... none",
        "Checking services and endpoints... 1 error",
        "Checking settings... none",
        "Checking other kinds... 1 error",
    ] == list(sections(checked, colour=False))


def test_every_kind_has_a_section():
    """No kind that Penstock reads is among the others."""
    everything = list(sections(report(*map(on, KINDS)), colour=False))

    assert not [line for line in everything if "other kinds" in line]
    assert sum(int(line.split("... ")[1][0]) for line in everything[1:]) == len(KINDS)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (at(1, 7, 10), ["    1 | kind: RouteTable", "      |       ^^^^^^^^^^"]),
        (at(1, 17), ["    1 | kind: RouteTable", "      |                 ^"]),
        (at(1, 99), ["    1 | kind: RouteTable", "      |                 ^"]),
        (at(1, 15, 50), ["    1 | kind: RouteTable", "      |               ^^"]),
        (at(4, 2, 4), ["    4 |     name: échö", "      |     ^^^^"]),
        (at(4, 8, 4), ["    4 |     name: échö", "      |           ^^^^"]),
        (at(5, 1), ["    5 |", "      | ^"]),
        (at(6, 1), []),
        (at(1, 1, path="other.yaml"), []),
    ],
)
def test_the_caret_stands_under_the_culprit(position, expected):
    """Carets are as wide as what is wrong, also behind tabs, and never off the line."""
    assert expected == lines(finding(position=position))[1:-1]


def test_a_large_line_number_moves_the_gutter():
    """The gutter is as wide as the line number."""
    found = lines(finding(position=at(1_234_567, 3), effect="none"), text="\n" * 1_234_566 + "a: b")

    assert ["1234567 | a: b", "        |   ^", "        = effect: none"] == found[1:-1]


def test_help_without_a_line_is_a_note():
    """Where there is no line to show, nothing of the finding is lost."""
    found = lines(finding(position=at(9), help="write it"))

    assert ["      = help: write it"] == found[1:-1]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a\r\nb\r\nc", 2, "b"),
        ("a\rb\rc", 2, "b"),
        ("a\x85b\u2028c\u2029d", 4, "d"),
        (b"\xef\xbb\xbfa", 1, "a"),
        (b"a\n\xff\xfe", 2, "��"),
    ],
)
def test_lines_are_counted_like_yaml_counts_them(text, line, expected):
    """Every line break of YAML ends a line, and no bytes are too odd to be shown."""
    assert f"    {line} | {expected}" == lines(finding(position=at(line)), text=text)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("échö 世界 👍", "échö 世界 👍"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202eright to left", "\\u202eright to left"),
        ("no\u200bwidth", "no\\u200bwidth"),
        ("no\u00a0break", "no\\xa0break"),
        ("\x7f\x9b", "\\x7f\\x9b"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, expected):
    """Nothing that people write can colour, move or hide what we print."""
    assert expected == visible(text)


def test_every_part_of_a_finding_is_escaped():
    """Message, help, effect, labels, paths and the line itself are escaped."""
    evil = "\x1b]0;evil\x07"
    diagnostic = finding(
        position=at(path=f"{evil}.yaml"),
        message=evil,
        help=evil,
        effect=evil,
        related=((evil, at(path=evil)),),
    )
    checked = Report(
        diagnostics=(diagnostic,),
        inputs=Inputs(files={f"{evil}.yaml": evil.encode()}),
        locate=str,
    )

    assert not [line for line in as_text(checked, colour=False) if not line.isprintable()]


@pytest.mark.parametrize(
    ("line", "column", "width", "expected"),
    [
        ("\tx", 2, 1, ("    x", 4, 1)),
        ("a\tx", 3, 1, ("a   x", 4, 1)),
        ("\ta", 1, 1, ("    a", 0, 4)),
        ("世界x", 3, 1, ("世界x", 4, 1)),
        ("世界", 2, 1, ("世界", 2, 2)),
        ("e\u0301x", 3, 1, ("e\u0301x", 1, 1)),
        ("\x1bx", 2, 1, ("\\x1bx", 4, 1)),
        ("", 1, 1, ("", 0, 1)),
    ],
)
def test_columns_are_those_of_a_terminal(line, column, width, expected):
    """Tabs, wide and combining characters and escapes take the columns that they really take."""
    assert expected == excerpt(line, column, width)


@pytest.mark.parametrize("size", [2 * WIDEST, 1_000_000])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_long_lines_are_cut_around_the_culprit(size, place):
    """However long a line is, the culprit and what is around it fit on a terminal."""
    before = round((size - 4) * place)
    line = "a" * before + "BAD!" + "z" * (size - 4 - before)

    text, indent, width = excerpt(line, before + 1, 4)

    assert text[indent : indent + width] == "BAD!"
    assert len(text) <= WIDEST + 2
    assert (text.startswith("…"), text.endswith("…")) == (place > 0, place < 1)


def test_a_culprit_that_is_too_wide_is_cut():
    """Carets end where the shown part of the line ends."""
    text, indent, width = excerpt("x" * 500, 101, 300)

    assert len(text) - 1 == indent + width


def test_colours_change_nothing_but_colours():
    """Painted lines say the same as plain ones."""
    diagnostic = finding(position=at(1, 7, 10), help="write it", effect="none")
    painted = lines(diagnostic, colour=True)
    for code in ("\x1b[1m", "\x1b[1;31m", "\x1b[0m"):
        assert any(code in line for line in painted)

        painted = [line.replace(code, "") for line in painted]

    assert lines(diagnostic) == painted


@pytest.mark.parametrize(
    ("found", "level", "reached"),
    [
        ([], Severity.WARNING, False),
        ([rules.EMPTY_SELECTION], Severity.WARNING, True),
        ([rules.EMPTY_SELECTION], Severity.ERROR, False),
        ([rules.UNKNOWN_UPSTREAM], Severity.WARNING, True),
        ([rules.UNKNOWN_UPSTREAM], Severity.ERROR, True),
    ],
)
def test_an_error_is_also_a_warning(found, level, reached):
    """A level is reached by findings of its severity or a worse one."""
    assert reached == report(*[finding(rule) for rule in found]).reaches(level)


def test_json_has_every_field():
    """Programs get all that people get, as one document."""
    diagnostic = finding(
        position=at(2, 3, 4),
        help="write it",
        effect="none",
        related=(("first here", at(1, 2)),),
    )

    checked = report(
        diagnostic,
        finding(rules.EMPTY_SELECTION),
        affected=(affected("foxtrot", "routes", "#0", "foxtrot"),),
    )

    assert json.loads(as_json(checked)) == {
        "summary": {"errors": 1, "warnings": 1, "files": 1},
        "findings": [
            {
                "code": "PEN301",
                "severity": "error",
                "resource": {"kind": "RouteTable", "namespace": "echo", "name": "echo-routes"},
                "path": "config/echo/routes.yaml",
                "line": 2,
                "column": 3,
                "width": 4,
                "source_line": "    -   x",
                "message": "it is wrong",
                "help": "write it",
                "effect": "none",
                "related": [
                    {
                        "label": "first here",
                        "path": "config/echo/routes.yaml",
                        "line": 1,
                        "column": 2,
                    }
                ],
            },
            {
                "code": "PEN305",
                "severity": "warning",
                "resource": {"kind": "RouteTable", "namespace": "echo", "name": "echo-routes"},
                "path": "config/echo/routes.yaml",
                "line": 1,
                "column": 1,
                "width": 1,
                "source_line": "kind: RouteTable",
                "message": "it is wrong",
                "help": "",
                "effect": "",
                "related": [],
            },
        ],
        "affected": [
            {
                "resource": {"kind": "RouteTable", "namespace": "foxtrot", "name": "routes"},
                "route": "#0",
                "cause": {"kind": "Upstream", "namespace": "gloo-system", "name": "foxtrot"},
            }
        ],
    }


@pytest.mark.parametrize(
    ("position", "text", "expected"),
    [
        (at(1, 1), "x" * 1000, "x" * 1000),
        (at(1, 1), "x" * 1001, None),
        (at(2, 1), "only one line", None),
    ],
)
def test_the_line_is_in_the_json(position, text, expected):
    """Whoever cannot open the file can show the line, unless it is no line to be shown."""
    (found,) = json.loads(as_json(report(finding(position=position), text=text)))["findings"]

    assert expected == found["source_line"]


def test_github_annotations_are_escaped():
    """A workflow command is one line, whatever its values hold."""
    diagnostic = finding(
        position=at(2, 3, 4, path="a,b:c%.yaml"),
        message="100% wrong\nreally: yes",
        help="write it",
        effect="none",
        related=(("first here", at(1, 2)),),
    )

    expected = (
        "::error file=config/a%2Cb%3Ac%25.yaml,line=2,endLine=2,col=3,endColumn=7,"
        "title=PEN301%3A no such upstream::100%25 wrong%0Areally: yes%0Awrite it"
        "%0Aeffect: none%0Afirst here: config/echo/routes.yaml:1"
    )
    assert [expected] == list(as_github(report(diagnostic)))

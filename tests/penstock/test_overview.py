"""`penstock status` in words, for fleets that are too large to have."""

from __future__ import annotations

import io
import json
import os
import random
import re

import pytest

from penstock.errors import ServerUnreachable
from penstock.overview import Overview, as_text, is_healthy
from penstock.overview.command import _blocks, _documents, follow
from penstock.overview.fleet import groups
from penstock.overview.screen import Screen, fit
from xds.types import CLUSTER, ROUTE_CONFIGURATION

SYNCED = {
    "standing": "SYNCED",
    "since": "2026-11-02T12:00:01.000Z",
    "subscribed": "*",
    "sent": "v1",
    "accepted": "v1",
    "rejection": None,
}
STALE = {**SYNCED, "standing": "STALE", "sent": "v2"}
FINDING = {
    "code": "PEN301",
    "severity": "error",
    "resource": {"kind": "Upstream", "namespace": "gloo-system", "name": "echo"},
    "path": "config/echo.yaml",
    "line": 7,
    "column": 3,
    "width": 4,
    "message": "no",
    "help": "",
    "effect": "",
    "related": [],
    "source_line": None,
}


def rejected(text, *names, **fields):
    rejection = {"version": "v2", "names": list(names), "text": text, "at": SYNCED["since"]}
    return {**STALE, "standing": "REJECTED", "rejection": rejection, **fields}


def envoy(node, routes=SYNCED, **fields):
    return {
        "stream": 1,
        "node": node,
        "cluster": "",
        "agent": "envoy 1.40.0",
        "peer": "127.0.0.1:5",
        "protocol": "delta",
        "connected": SYNCED["since"],
        "served": True,
        "types": {CLUSTER: SYNCED, ROUTE_CONFIGURATION: routes},
        **fields,
    }


def overview(*envoys, findings=()):
    routes = {"held": False, "held_since": None, "held_because": [], "waiting": [], "routes": {}}
    proxy = {
        "name": "gateway-proxy",
        "version": "v2",
        "since": SYNCED["since"],
        **routes,
        "replaced": [],
        "kept": [],
        "left_out": [],
        "envoys": list(envoys),
    }
    status = {
        "version": "1",
        "started": "2026-11-02T11:00:00.000Z",
        "uptime_seconds": 7200.0,
        "ready": True,
        "source": {"readable": True},
        "state": None,
        "reload": None,
        "policy": "hold",
        "proxies": [proxy],
    }
    summary = {"errors": len(findings), "warnings": 0, "files": 3}
    reports = {"summary": summary, "findings": list(findings), "affected": []}
    return Overview(url="http://127.0.0.1:1", status=status, reports=reports)


def lines(*envoys, findings=()):
    return list(as_text(overview(*envoys, findings=findings), colour=False))


def test_a_fleet_in_few_lines():
    """A thousand Envoys that agree are one group; those that differ come first, in their words."""
    fleet = [envoy(f"edge-{number:04}") for number in range(1000)]
    fleet[500] = envoy("edge-0500", rejected("missing ]: [", "r"))
    fleet[700] = envoy("edge-0700", STALE)
    fleet[800] = envoy("edge-0800", STALE)

    assert """\
gateway-proxy  REJECTED  version v2  since 12:00:01Z  1000 Envoys
  Envoy edge-0500  REJECTED  envoy 1.40.0, delta, from 127.0.0.1:5
    Cluster             SYNCED    since 12:00:01Z  version v1
    RouteConfiguration  REJECTED  since 12:00:01Z  sent v2, accepted v1
      refused r: missing ]: [
  2 Envoys  STALE  envoy 1.40.0, delta
    edge-0700, edge-0800
    Cluster             SYNCED    since 12:00:01Z  version v1
    RouteConfiguration  STALE     since 12:00:01Z  sent v2, accepted v1
  997 Envoys  SYNCED  envoy 1.40.0, delta
    edge-0000, edge-0001, edge-0002, edge-0003, edge-0004, edge-0005, edge-0006, edge-0007 and 989 more
    Cluster             SYNCED    since 12:00:01Z  version v1
    RouteConfiguration  SYNCED    since 12:00:01Z  version v1

1 Envoy rejected, 2 Envoys stale, 997 Envoys synced. No problems detected.""" == "\n".join(  # noqa: E501
        lines(*fleet)[2:]
    )
    assert not is_healthy(overview(*fleet))


def test_the_order_of_connections_does_not_matter():
    """Whoever connected first, the groups and their Envoys come in the same order."""
    fleet = [
        *(envoy(f"a{number}") for number in range(5)),
        *(envoy(f"b{number}", STALE) for number in range(5)),
        *(envoy(f"c{number}", rejected(f"{number}")) for number in range(5)),
        envoy("d", served=False, types={}),
    ]
    expected = lines(*fleet)
    random.Random(1).shuffle(fleet)

    assert expected == lines(*fleet)


def test_what_makes_a_group():
    """The same place with every type, in the same words; versions and builds may differ."""
    same = [
        envoy("a"),
        envoy("b", peer="127.0.0.1:6", agent="envoy 1.39.0", protocol="sotw"),
        envoy("c", {**SYNCED, "sent": "v9", "accepted": "v9", "since": "2026-11-02T12:00:09.000Z"}),
    ]
    others = [envoy("d", types={CLUSTER: SYNCED}), envoy("e", rejected("x")), envoy("f", STALE)]

    assert [["e"], ["f"], ["d"], ["a", "b", "c"]] == [
        [each["node"] for each in group.envoys] for group in groups([*same, *others])
    ]
    assert """\
  3 Envoys  SYNCED  2 envoy 1.40.0 + 1 envoy 1.39.0, 2 delta + 1 sotw
    a, b, c
    Cluster             SYNCED    since 12:00:01Z  version v1
    RouteConfiguration  SYNCED    since 12:00:01Z to 12:00:09Z""" == "\n".join(lines(*same)[3:7])


def test_grpc_clients_are_grouped_as_well():
    """Clients that are no Envoys are groups of their own, under their own name."""
    found = overview(envoy("a"))
    found.status["proxies"][0]["grpc"] = {"clients": [envoy("b"), envoy("c"), envoy("d", STALE)]}
    shown = list(as_text(found, colour=False))

    heads = [line for line in shown if line.startswith("  ") and line[2] != " "]
    assert ["  Envoy a  ", "  gRPC client d  ", "  2 gRPC clients  "] == [
        re.split(r"SYNCED|STALE", line)[0] for line in heads
    ]
    assert shown[-1].startswith("1 Envoy synced, 1 gRPC client stale, 2 gRPC clients synced. ")
    assert not is_healthy(found)


def test_each_with_words_of_its_own():
    """Also a fleet in which each Envoy complains about something else has an end."""
    fleet = [envoy(f"edge-{number:04}", rejected(f"reason {number}")) for number in range(1000)]
    shown = lines(*fleet)

    assert len(shown) < 100
    assert "  and 980 more Envoys: 980 Envoys rejected" in shown


def test_long_words_keep_both_ends():
    """Envoy may quote a whole resource before it says what is wrong with it."""
    shown = lines(envoy("a", rejected(f"name: r {'x' * 4000} Proto constraint failed", "r")))
    (refusal,) = (line for line in shown if "refused" in line)

    assert len(refusal) < 1000
    assert refusal.startswith("      refused r: name: r xxx")
    assert refusal.endswith("x Proto constraint failed")


@pytest.mark.parametrize(
    ("names", "text", "pointed"),
    [
        (["echo_gloo-system"], "bad", True),
        (["r"], "route: unknown cluster 'echo_gloo-system'", True),
        (["r"], "… routes { name: 'gloo-system/echo/#0' } …", True),
        (["r"], "virtual_hosts { name: gloo-system_echo }", True),
        (["echo_gloo-system-2"], "bad", False),
        (["my-echo_gloo-system"], "bad", False),
        (["r"], "bad", False),
    ],
)
def test_a_refusal_points_to_what_is_known_of_its_cause(names, text, pointed):
    """If the refused resource has a finding, its file and line stand beside Envoy's words."""
    shown = lines(envoy("a", rejected(text, *names)), findings=[FINDING])

    assert pointed is (
        "        see PEN301 in Upstream gloo-system/echo (config/echo.yaml:7:3)" in shown
    )


def test_names_from_outside_stay_in_their_place():
    """What Envoys call themselves cannot move the cursor."""
    shown = lines(envoy("a\x1b[2J"), envoy("b\n"))

    assert r"    a\x1b[2J, b\n" in shown


def test_what_does_not_fit():
    """The beginning and the summary are always seen, and how much is not."""
    text = ["one", "two", "three", "four", "five"]

    assert text == fit(text, columns=10, rows=5)
    assert ["one", "two", "… 2 more lines", "five"] == fit(text, columns=10, rows=4)
    assert ["… 4 more lines", "five"] == fit(text, columns=10, rows=1)


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("", 1),
        ("x" * 10, 1),
        ("x" * 11, 2),
        ("\x1b[1;31m" + "x" * 10 + "\x1b[0m", 1),
        ("世" * 5, 1),
        ("世" * 6, 2),
        ("e\u0301" * 10, 1),
    ],
)
def test_how_many_rows_a_line_takes(line, rows):
    """Colours take no room, wide characters twice as much, and long lines are wrapped."""
    assert [line, "end"] == fit([line, "end"], columns=10, rows=rows + 1)
    assert [line, "end"] != fit([line, "end"], columns=10, rows=rows)


def test_a_screen_is_written_over():
    """Each line is written over the old one, and only what is left of it is erased."""
    stream = io.StringIO()
    screen = Screen(stream, lambda: os.terminal_size((20, 4)))
    with screen.opened():
        screen.show(["long line", "end"])
        screen.show(["1", "2", "3", "4", "end"])

    assert (
        "\x1b[?25l\x1b[2J"
        "\x1b[Hlong line\x1b[K\nend\x1b[K\n\x1b[J"
        "\x1b[H1\x1b[K\n… 3 more lines\x1b[K\nend\x1b[K\n\x1b[J"
        "\x1b[?25h"
    ) == stream.getvalue()


def watched(show, *looks):
    """Let a watch see one look after the other, then Ctrl-C."""
    remaining = iter(looks)

    def look():
        found = next(remaining, KeyboardInterrupt())
        if isinstance(found, BaseException):
            raise found
        return found

    follow(look, show, lambda _: None)


def test_a_watch_outlives_its_server():
    """An absence is shown with what was seen last, and Ctrl-C is no failure."""
    one, two = overview(envoy("a")), overview(envoy("b"))
    away = ServerUnreachable("away")
    shown = []

    watched(lambda *state: shown.append(state), away, one, away, away, two)

    trouble = "Error: away"
    assert [(None, trouble), (one, ""), (one, trouble), (one, trouble), (two, "")] == shown


def test_documents_come_one_a_line(capsys):
    """Only changes are written, age is none, and what is not a document goes to stderr."""
    one, two = overview(envoy("a")), overview(envoy("b"))
    older = Overview(
        url=one.url, status={**one.status, "uptime_seconds": 7300.0}, reports=one.reports
    )

    watched(
        _documents(), one, older, ServerUnreachable("away"), ServerUnreachable("away"), older, two
    )

    out, err = capsys.readouterr()
    assert ["a", "a", "b"] == [
        json.loads(line)["status"]["proxies"][0]["envoys"][0]["node"] for line in out.splitlines()
    ]
    assert "Error: away\n" == err


def test_blocks_come_when_something_changes(capsys):
    """Without a terminal each state is written once, an absence too."""
    one, two = overview(envoy("a")), overview(envoy("b"))

    watched(_blocks(colour=False), one, one, ServerUnreachable("away"), one, two)

    blocks = capsys.readouterr().out.split("--- ")[1:]
    assert 4 == len(blocks)
    assert blocks[1].endswith("Z\nError: away\n\n")

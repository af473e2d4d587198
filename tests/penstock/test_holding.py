from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from penstock.findings import Report
from penstock.holding import FATES, count_routes, dated, held_since
from penstock.moments import clock, iso
from translator.pipeline import Inputs, translate
from translator.policy import Mode

NOW = datetime(2026, 3, 4, 12, 3, 11, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEAD = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes:
"""
UPSTREAM = """\
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: up, namespace: gloo-system}
spec: {static: {hosts: [{addr: 10.0.0.1, port: 80}]}}
"""
POLICIES = {Mode.HOLD: "", Mode.REPLACE: "replaceInvalidRoutes", Mode.KEEP: "keepLastGoodRoutes"}


def settings(mode):
    policy = f"{POLICIES[mode]}: true" if POLICIES[mode] else ""
    return (
        "---\napiVersion: gloo.solo.io/v1\nkind: Settings\n"
        "metadata: {name: default, namespace: gloo-system}\n"
        f"spec: {{gloo: {{invalidConfigPolicy: {{{policy}}}}}}}\n"
    )


def route(path, upstream="up"):
    return (
        f"      - matchers: [{{prefix: {path}}}, {{exact: {path}/more}}]\n"
        f"        routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}\n"
    )


def inputs(*routes, mode=Mode.HOLD):
    text = HEAD + "".join(routes) + UPSTREAM + settings(mode)
    return Inputs(files={"app.yaml": text.encode()})


GOOD = (route("/a"), route("/b"), route("/c"))
TYPO = (route("/a"), route("/b", "typo"), route("/c"))
UNKNOWABLE = (route("/a"), route("/b").replace("exact", "exct"), route("/c"))


@pytest.mark.parametrize(
    ("mode", "routes", "expected"),
    [
        (Mode.HOLD, GOOD, {"served": 3}),
        (Mode.HOLD, TYPO, {"served": 2, "held": 1}),
        (Mode.REPLACE, TYPO, {"served": 2, "replaced": 1}),
        (Mode.KEEP, TYPO, {"served": 2, "kept": 1}),
        (Mode.REPLACE, UNKNOWABLE, {"served": 2, "left_out": 1}),
    ],
)
def test_written_routes_are_counted(mode, routes, expected):
    """Each written route counts once, whatever Envoy makes of it, under what became of it."""
    before = translate(inputs(*GOOD, mode=mode))
    now = translate(inputs(*routes, mode=mode), before)

    assert dict.fromkeys(FATES, 0) | expected == count_routes(now.served["gateway-proxy"])


def test_the_time_of_a_hold_is_kept_while_it_lasts():
    """The time is that of the first mistake, stays while there is any, and ends with the last."""
    good = translate(inputs(*GOOD))
    held = translate(inputs(*TYPO), good)
    still = translate(inputs(route("/a", "typo"), route("/b")), held)
    fixed = translate(inputs(*GOOD), still)

    since = held_since({}, held, NOW)

    assert {"gateway-proxy": NOW} == since
    assert since == held_since(since, still, NOW + HOUR)
    assert {} == held_since(since, fixed, NOW + 2 * HOUR)


def test_effects_say_since_when():
    """The effect of a finding that holds a proxy gets the time; others are as they were."""
    good = translate(inputs(*GOOD))
    held = translate(inputs(*TYPO, route("/a")), good)
    (error,) = held.holding["gateway-proxy"]
    warning, *_ = set(held.diagnostics) - {error}

    shown = list(dated((warning, error), held.holding, {"gateway-proxy": NOW}, NOW + HOUR))

    assert warning == shown[0]
    assert "proxy gateway-proxy is held at its last good routes since 12:03:11Z" == shown[1].effect
    assert [error] == list(dated([error], held.holding, {}, NOW))


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(0), "12:03:11Z"),
        (timedelta(hours=11), "12:03:11Z"),
        (timedelta(hours=12), "2026-03-04 12:03:11Z"),
        (timedelta(days=365), "2026-03-04 12:03:11Z"),
    ],
)
def test_a_time_of_another_day_has_a_date(later, expected):
    """A time alone is today's."""
    assert expected == clock(NOW, NOW + later)


def test_moments_are_in_utc():
    """Whatever the zone of the machine, what is written is comparable."""
    elsewhere = NOW.astimezone(tz=None)

    assert "2026-03-04T12:03:11.250Z" == iso(elsewhere)
    assert NOW == datetime.fromisoformat(iso(NOW))


def test_who_holds_the_mistake_is_not_affected_by_it():
    """A table that is broken as a whole has a finding; it does not suffer from somebody else."""
    broken = inputs(*GOOD).files["app.yaml"].replace(b"virtualHost:", b"virtualHosts:", 1)
    now = translate(Inputs(files={"app.yaml": broken}), translate(inputs(*GOOD)))

    assert now.affected
    assert () == Report.of(now, str).affected

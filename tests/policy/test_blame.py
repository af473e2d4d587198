"""Who holds a proxy, and what the report says of it."""

from __future__ import annotations

import pytest
from story import APP, HOLD, KEEP, REPLACE, Story, route, table

GATEWAY = """\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: public, namespace: gloo-system}
spec: {bindPort: 8080, httpGateway: {}}
"""
HELD = "proxy gateway-proxy is held at its last good routes"
TYPO = table("echo", route("/echo", "echo-typo"))
MOVED = table("foxtrot", route("/foxtrot", "foxtrot", subset="v2"))
EDITS = {
    "a route": {"echo__routes": TYPO},
    "a table": {"echo__routes": TYPO.replace("spec:", "sepc:")},
    "a file": {"echo__routes": "{{{"},
    "a virtual service": {"gateway__app": APP.replace("virtualHost:", "virtualHosts:")},
    "a gateway": {"gateway__public": GATEWAY.replace("bindPort", "bindPrt")},
    "the file of a gateway": {"gateway__public": "{{{"},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_whoever_holds_a_proxy_is_named(edit):
    """A held proxy is never without somebody to ask, whatever kind of resource is broken."""
    story = Story(HOLD, gateway__public=GATEWAY)

    story.edit(**edit)

    (found,) = story.now.diagnostics
    assert {"gateway-proxy": (found,)} == story.now.holding
    assert HELD == found.effect


def test_who_waits_is_in_the_effect():
    """The finding of whoever holds a proxy says whose changes wait for it."""
    story = Story(HOLD)

    story.edit(echo__routes=TYPO).edit(foxtrot__routes=MOVED)

    (found,) = story.now.holding["gateway-proxy"]
    assert f"{HELD}; foxtrot/routes waits" == found.effect


@pytest.mark.parametrize("policy", [REPLACE, KEEP])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a virtual service", "VirtualService gloo-system/app"),
        ("a gateway", "Gateway gloo-system/public"),
    ],
)
def test_what_stays_without_being_held(policy, name, expected):
    """An invalid gateway or virtual service stays as it was, and the finding says so."""
    story = Story(policy, gateway__public=GATEWAY)

    story.edit(**EDITS[name]).edit(foxtrot__routes=MOVED)

    (found,) = story.now.diagnostics
    assert f"{expected} stays as it was when it was good last" == found.effect
    assert {} == story.now.holding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a virtual service", "none of its routes is served"),
        ("a gateway", "it does not listen"),
    ],
)
def test_what_was_never_good(name, expected):
    """Without a last good version there is nothing to stand in."""
    story = Story(HOLD, **EDITS[name])

    effects = [found.effect for found in story.now.diagnostics if found.code == "PEN201"]
    assert [f"{expected} unless a last good version stands in"] == effects


def test_only_the_guilty_hold():
    """A mistake that breaks nothing that is served holds nobody."""
    stray = table("stray", "{matchers: [{prefix: /}]}")
    story = Story(HOLD)

    story.edit(echo__routes=TYPO, stray__routes=stray)

    assert ["PEN301"] == [found.code for found in story.now.holding["gateway-proxy"]]
    assert "PEN401" in {found.code for found in story.now.diagnostics}

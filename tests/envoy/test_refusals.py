"""Envoy refuses what we let pass: it is found out, put aside, and told in Envoy's words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support import Client, free_port, wait_until
from test_invalid import HOLD, KEEP, REPLACE, save, translated
from test_story import ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2, Story, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import ControlPlane

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

POLICIES = {"hold": HOLD, "replace": REPLACE, "keep": KEEP}


def header(side, value):
    edit = f"{{{side}HeadersToAdd: [{{header: {{key: x-a, value: '{value}'}}}}]}}"
    return f"options: {{headerManipulation: {edit}}}"


GAPS = {
    "a format operator that does not exist": (
        header("request", "%NOPE%"),
        "Not supported field in StreamInfo: NOPE",
    ),
    "an operator without its parameter": (
        header("response", "%ENVIRONMENT()%"),
        "ENVIRONMENT requires parameters",
    ),
    "an operator with too many alternatives": (
        header("request", "%REQ(X?Y?Z)%"),
        "More than 1 alternative header specified in token",
    ),
    "a time beyond Envoy's longest": ("options: {timeout: 9223372036s}", "9223372036"),
}
"""What passes our own checks and not Envoy's: the option, and some of Envoy's words."""

ODD, WORDS = GAPS["a format operator that does not exist"]


def odd_table(story: Story, option: str = ODD) -> str:
    """Give echo's first route, the canary's, an option."""
    text = story.files["echo/routes.yaml"].decode()
    head, matchers, tail = text.partition("    - matchers:")
    assert matchers, text
    return f"{head}    - {option}\n      matchers:{tail}"


@contextmanager
def running(stage, protocol, policy) -> Iterator[tuple[Story, ControlPlane]]:
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", POLICIES[policy])
    stage.save_gateway()
    with (
        stage.control_plane(free_port(), stage.folder / "state") as penstock,
        stage.envoy(protocol, penstock.ads_port) as envoy,
    ):
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 20)
        yield story, penstock, envoy


def refusals(penstock):
    reports = penstock.get("/api/v1/reports")
    return [each for each in reports["findings"] if each["code"] == "PEN501"]


def found(penstock):
    return wait_until(lambda: refusals(penstock), "a refusal in the reports", 20)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("policy", POLICIES)
def test_one_team_is_refused_while_another_moves(stage, protocol, policy):
    """
    Of two changes in one route configuration the guilty one is found and treated by the policy.

    No request fails that has nothing to do with it, the author is told where and in Envoy's
    words, and Envoy is sent the refused route in no other version than it takes to find it out.
    """
    with (
        running(stage, protocol, policy) as (story, penstock, _),
        Client(stage.listener, ["/echo", "/foxtrot"]) as client,
    ):
        stage.save("echo/routes.yaml", odd_table(story))
        save(story, penstock, "06-all-on-v2", "foxtrot/routes.yaml")
        (finding,) = found(penstock)
        canary, foxtrot = {
            "hold": (ECHO_V2, {FOXTROT_V1: 0.5, FOXTROT_V2: 0.5}),
            "replace": ("404", {FOXTROT_V2: 1}),
            "keep": (ECHO_V2, {FOXTROT_V2: 1}),
        }[policy]
        wait_until(lambda: stage.ask("/echo", canary=True) == canary, "the policy to apply", 20)
        wait_until(lambda: shares(stage, "/foxtrot").keys() == foxtrot.keys(), "foxtrot's", 20)

        assert finding["path"].endswith("echo/routes.yaml")
        assert 7 == finding["line"]
        assert WORDS in finding["message"]
        assert "envoy 1.40.0 refuses this route" in finding["message"]
        assert ECHO_V1 == stage.ask("/echo")
        assert {share: pytest.approx(part, abs=0.05) for share, part in foxtrot.items()} == shares(
            stage, "/foxtrot"
        )
        held = penstock.get("/api/v1/status")["proxies"][0]["held"]
        assert held is (policy == "hold")
    wrong = {key[:2] for key in client.failures}
    assert ({("/echo", True)} if policy == "replace" else set()) == wrong


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_a_new_envoy_and_a_new_control_plane_never_see_it(stage, protocol):
    """Who comes later gets what was accepted, also from a control plane that starts anew."""
    with running(stage, protocol, "keep") as (story, penstock, envoy):
        stage.save("echo/routes.yaml", odd_table(story))
        found(penstock)
        wait_until(lambda: settled(penstock), "the Envoy to accept what is served", 20)
        refused = envoy.rejected()

        again(envoy)
        wait_until(lambda: stage.answers()[0] == ECHO_V1, "the new Envoy to answer", 20)

        assert ECHO_V2 == stage.ask("/echo", canary=True)
        assert {} == envoy.rejected()

        again(penstock)
        wait_until(lambda: refusals(penstock), "the finding of the new control plane", 20)
        again(envoy)
        wait_until(lambda: stage.answers()[0] == ECHO_V1, "the next Envoy to answer", 20)

        assert ECHO_V2 == stage.ask("/echo", canary=True)
        assert {} == envoy.rejected()
        assert refused


def again(process):
    process.kill()
    process.start()


def settled(penstock):
    (proxy,) = penstock.get("/api/v1/status")["proxies"]
    return all(
        each["standing"] == "SYNCED"
        for envoy in proxy["envoys"]
        for each in envoy["types"].values()
    )


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_the_authors_edit_ends_it_and_its_undoing_is_not_tried_again(stage, protocol):
    """A corrected route is served at once; the refused one never goes to an Envoy again."""
    with running(stage, protocol, "keep") as (story, penstock, envoy):
        stage.save("echo/routes.yaml", odd_table(story))
        found(penstock)
        wait_until(lambda: settled(penstock), "the Envoy to accept what is served", 20)

        good = odd_table(story).replace("%NOPE%", "%PROTOCOL%")
        with envoy.taking_update():
            stage.save("echo/routes.yaml", good)

        assert [] == refusals(penstock)
        before = envoy.rejected()

        translated(penstock, lambda: stage.save("echo/routes.yaml", odd_table(story)))
        found(penstock)

        assert ECHO_V2 == stage.ask("/echo", canary=True)
        assert before == envoy.rejected()


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_gaps_between_our_checks_and_envoys(stage, protocol):
    """What passes our checks and not Envoy's costs its own route, from the very first start on."""
    story = Story(stage)
    story.save("05-echo-in-parallel")
    (first, *others) = GAPS
    stage.save("echo/routes.yaml", odd_table(story, GAPS[first][0]))
    stage.save("settings.yaml", KEEP)
    stage.save_gateway()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port):
        (finding,) = found(penstock)
        wait_until(lambda: stage.ask("/echo") == ECHO_V1, "the innocent routes", 20)

        assert GAPS[first][1] in finding["message"]
        assert "404" == stage.ask("/echo", canary=True)
        assert "requests to /echo with header stage: canary get 404" in finding["effect"]

        for gap in others:
            stage.save("echo/routes.yaml", story.files["echo/routes.yaml"])
            wait_until(lambda: not refusals(penstock), "the end of the finding", 20)
            wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the good route", 20)
            option, words = GAPS[gap]
            stage.save("echo/routes.yaml", odd_table(story, option))
            (finding,) = found(penstock)

            assert words in finding["message"]
            assert [ECHO_V1, ECHO_V2] == [stage.ask("/echo"), stage.ask("/echo", canary=True)]

"""The second half of the article: one team makes a mistake while the other goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import Answer, Client, wait_until
from support.cases import golden_inputs
from test_story import ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2, Story, shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import ControlPlane

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

BODY = "echo or foxtrot made a mistake"
SETTINGS = """\
apiVersion: gloo.solo.io/v1
kind: Settings
metadata: {name: default, namespace: gloo-system}
spec: {gloo: {invalidConfigPolicy: {POLICY}}}
"""
HOLD = SETTINGS.replace("POLICY", "")
REPLACE = SETTINGS.replace(
    "POLICY", f"replaceInvalidRoutes: true, invalidRouteResponseBody: {BODY}"
)
KEEP = SETTINGS.replace("POLICY", "keepLastGoodRoutes: true")
HALF = {FOXTROT_V1: pytest.approx(0.5, abs=0.04), FOXTROT_V2: pytest.approx(0.5, abs=0.04)}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_hold_then_replace(stage, protocol):
    """A mistake holds everybody; with replacement it costs its own route only; a fix frees all."""
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", HOLD)
    stage.save_gateway()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 20)
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            typo(story, penstock)
            save(story, penstock, "06-all-on-v2", "foxtrot/routes.yaml")

            assert [stage.ask("/echo"), stage.ask("/echo", canary=True)] == [ECHO_V1, ECHO_V2]
            assert shares(stage, "/foxtrot") == HALF
            assert penstock.get("/api/v1/status")["proxies"][0]["held"] is True

            with envoy.taking_update():
                stage.save("settings.yaml", REPLACE)

            assert [stage.ask("/echo"), stage.ask("/echo", canary=True)] == [ECHO_V1, "404"]
            assert shares(stage, "/foxtrot") == {FOXTROT_V2: 1}

            with envoy.taking_update():
                save(story, penstock, "06-all-on-v2", "echo/routes.yaml")

            assert stage.answers() == (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)

        assert {key[:2] for key in client.failures} == {("/echo", True)}
        assert {key[2] for key in client.failures} == {Answer(404, BODY)}
        assert envoy.rejected() == {}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_keep_last_good_routes(stage, protocol):
    """A mistake leaves its route as it was and stops nobody; what its author removes is gone."""
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", KEEP)
    stage.save_gateway()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 20)
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            typo(story, penstock)
            with envoy.taking_update():
                save(story, penstock, "06-all-on-v2", "foxtrot/routes.yaml")

            assert stage.answers() == (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)

            with envoy.taking_update():
                save(story, penstock, "01-first-tables", "echo/routes.yaml")

            assert stage.answers() == (ECHO_V1, ECHO_V1, FOXTROT_V2, FOXTROT_V2)

        assert client.failures == {}
        assert envoy.rejected() == {}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_only_the_invalid_share_is_answered_with_the_error(stage, protocol):
    """Of a split, the share of an invalid member gets the error, and the others keep theirs."""
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", REPLACE)
    stage.save_gateway()
    table = story.files["foxtrot/routes.yaml"].decode()
    head, _, tail = table.partition("multi:")
    broken = tail.replace("weight: 50", "weight: 45") + (
        "            - destination:\n"
        "                upstream: {name: foxtrott, namespace: gloo-system}\n"
        "              weight: 10\n"
    )
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 20)

        with envoy.taking_update():
            stage.save("foxtrot/routes.yaml", f"{head}multi:{broken}")

        assert shares(stage, "/foxtrot") == {
            FOXTROT_V1: pytest.approx(0.45, abs=0.04),
            FOXTROT_V2: pytest.approx(0.45, abs=0.04),
            BODY: pytest.approx(0.10, abs=0.03),
        }
        assert [stage.ask("/echo"), stage.ask("/echo", canary=True)] == [ECHO_V1, ECHO_V2]
        assert envoy.rejected() == {}


def typo(story: Story, penstock: ControlPlane) -> None:
    """Let echo's canary go to an upstream that does not exist."""
    text = story.files["echo/routes.yaml"].decode().replace("name: echo,", "name: echo-typo,", 1)
    translated(penstock, lambda: story.stage.save("echo/routes.yaml", text))

    (finding,) = penstock.get("/api/v1/reports")["findings"]
    assert (finding["code"], finding["line"]) == ("PEN301", 12)


def save(story: Story, penstock: ControlPlane, step: str, path: str) -> None:
    """Save one file as it is in a step of the article."""
    text = golden_inputs(f"two-phased-canary-{step}")[path]
    translated(penstock, lambda: story.stage.save(path, text))


def translated(penstock: ControlPlane, edit: Callable[[], None]) -> None:
    """Edit, and wait until the control plane has seen it, published or not."""
    before = wait_until(
        lambda: penstock.get("/api/v1/status")["reload"], "the first translation", 20
    )
    edit()
    wait_until(
        lambda: penstock.get("/api/v1/status")["reload"]["at"] != before["at"],
        "another translation",
    )

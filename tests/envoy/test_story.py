"""
The two-phased canary, told to a real Envoy.

The inputs of each step are those of the golden case of its name, so what the golden files show is
what is served here; the endpoints come from Services, EndpointSlices and Pods.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml
from support import ROOT, Client, delete, wait_until
from support.cases import golden_inputs, on_loopback

if TYPE_CHECKING:
    from conftest import Stage
    from support import RealEnvoy

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

SAMPLE = 2_000
"""Requests to measure shares with; a share of a half has a standard deviation of 1.1 %."""

ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2 = "echo v1", "echo v2", "foxtrot v1", "foxtrot v2"


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_two_phased_canary(stage, protocol):
    """Each step is answered as the article says, and no request fails on the way."""
    story = Story(stage)
    story.save("01-first-tables")
    stage.save_gateway()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        stage.wait_for(ECHO_V1, ECHO_V1, FOXTROT_V1, FOXTROT_V1)
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            story.turn(envoy, "02-phase-one-header")
            stage.wait_for(ECHO_V1, ECHO_V1, FOXTROT_V1, FOXTROT_V2)

            story.turn(envoy, "03-phase-two-weights")
            assert shares(stage, "/foxtrot") == {FOXTROT_V1: 1}
            assert shares(stage, "/foxtrot", canary=True) == {FOXTROT_V2: 1}

            story.turn(envoy, "04-half-and-half")
            assert shares(stage, "/foxtrot") == {
                FOXTROT_V1: pytest.approx(0.5, abs=0.04),
                FOXTROT_V2: pytest.approx(0.5, abs=0.04),
            }
            assert shares(stage, "/foxtrot", canary=True) == {FOXTROT_V2: 1}

            story.turn(envoy, "05-echo-in-parallel")
            assert [stage.ask("/echo"), stage.ask("/echo", canary=True)] == [ECHO_V1, ECHO_V2]
            assert shares(stage, "/foxtrot")[FOXTROT_V2] == pytest.approx(0.5, abs=0.04)

            story.turn(envoy, "06-all-on-v2")
            assert shares(stage, "/foxtrot") == {FOXTROT_V2: 1}

            story.turn(envoy, "07-clean-up")
            assert stage.answers() == (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)

            story.turn(envoy, "08-v1-deleted")
            assert endpoints(envoy, "foxtrot_gloo-system") == {stage.ports["foxtrot-v2"]}
            stage.backends["foxtrot-v1"].__exit__(None, None, None)
            assert stage.answers() == (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)

            assert stage.ask("/elsewhere") == "404"
            story.turn(envoy, "09-label-selectors")
            assert stage.answers() == (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)
            assert stage.ask("/elsewhere") == "404"

        assert client.failures == {}
        assert client.total > 1_000
        assert envoy.rejected() == {}


class Story:
    """The files of the article's steps."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.files: dict[str, bytes] = {}

    def save(self, step: str) -> None:
        """Change the files to those of a step: the teams' first, then those of the domain."""
        files = golden_inputs(f"two-phased-canary-{step}")
        for path, text in sorted(files.items()):
            if self.files.get(path) != text:
                here = path.endswith("service.yaml")
                self.stage.save(path, on_loopback(text, self.stage.ports) if here else text)
        for path in sorted(self.files.keys() - files.keys()):
            delete(self.stage.config / path)
        self.files = files

    def turn(self, envoy: RealEnvoy, step: str) -> None:
        """Save a step, and wait until Envoy has it."""
        with envoy.taking_update():
            self.save(step)


def shares(stage: Stage, path: str, *, canary: bool = False) -> dict[str, float]:
    """Measure which part of the requests each answer gets."""
    with Client(stage.listener, [path], canaries=[canary]) as client:
        wait_until(lambda: client.total >= SAMPLE, f"{SAMPLE} answers", deadline=60)
    counts: Counter[str] = Counter()
    for (_, _, answer), number in client.answers.items():
        counts[answer.body] += number
    return {body: number / counts.total() for body, number in counts.items()}


def endpoints(envoy: RealEnvoy, cluster: str) -> set[int]:
    """Return the ports of a cluster's endpoints in Envoy."""
    lines = envoy.get("/clusters").decode().splitlines()
    parts = [line.split("::") for line in lines if line.startswith(f"{cluster}::127.0.0.1:")]
    return {int(address.rpartition(":")[2]) for _, address, *_ in parts}


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_shipped_configuration(stage, protocol):
    """The folder `config` serves phase one, and phase two as its comments say."""
    stage.save_shipped()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        stage.wait_for(ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2)
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            with envoy.taking_update():
                stage.save("foxtrot/routes.yaml", phase_two("foxtrot"))

            assert shares(stage, "/foxtrot") == {
                FOXTROT_V1: pytest.approx(0.5, abs=0.04),
                FOXTROT_V2: pytest.approx(0.5, abs=0.04),
            }

            with envoy.taking_update():
                stage.save("gateway/app.yaml", by_label())

            assert [stage.ask("/echo"), stage.ask("/echo", canary=True)] == [ECHO_V1, ECHO_V2]

        assert client.failures == {}
        assert envoy.rejected() == {}


def phase_two(team: str) -> str:
    """Do what the comment in a team's table says: `multi` in place of the last `single`."""
    head, _, tail = (ROOT / "config" / team / "routes.yaml").read_text().rpartition("single:")
    _, _, comment = tail.partition("# multi:")
    lines = [line.replace("# ", "", 1) for line in comment.splitlines()]
    return head + "multi:" + "\n".join(lines) + "\n"


def by_label() -> str:
    """Do what the comment in the domain's file says: one route by label in place of the list."""
    text = (ROOT / "config" / "gateway" / "app.yaml").read_text()
    head, _, tail = text.partition("      - matchers:")
    _, _, comment = tail.rpartition("      # - matchers:")
    lines = [line.replace("# ", "", 1) for line in comment.splitlines()]
    return head + "      - matchers:" + "\n".join(lines) + "\n"


def test_comments_of_the_shipped_configuration_are_yaml():
    """What the comments offer can be put in their place without another edit."""
    table = yaml.safe_load(phase_two("echo"))
    service = yaml.safe_load(by_label())

    weights = [
        share["weight"]
        for share in table["spec"]["routes"][-1]["routeAction"]["multi"]["destinations"]
    ]
    (route,) = service["spec"]["virtualHost"]["routes"]
    assert weights == [50, 50]
    assert route["delegateAction"]["selector"]["labels"] == {"apiGroup": "example"}

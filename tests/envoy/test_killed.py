"""Whoever dies, the answers after a start are as before, under each policy."""

from __future__ import annotations

import pytest
from support import free_port, wait_until
from test_invalid import HOLD, KEEP, REPLACE, translated
from test_story import ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2, Story

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

START = (ECHO_V1, ECHO_V2, FOXTROT_V1, FOXTROT_V2)
MOVED = (ECHO_V1, ECHO_V2, FOXTROT_V2, FOXTROT_V2)
MOVED_WITHOUT_CANARY = (ECHO_V1, "404", FOXTROT_V2, FOXTROT_V2)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        (HOLD, [START, START, START]),
        (REPLACE, [START, (ECHO_V1, "404", FOXTROT_V1, FOXTROT_V2), MOVED_WITHOUT_CANARY]),
        (KEEP, [START, START, MOVED]),
    ],
    ids=["hold", "replace", "keep"],
)
def test_answers_survive(stage, protocol, policy, steps):
    """Killed at every step, control plane, Envoy or both come back with the same answers."""
    story = Story(stage)
    story.save("02-phase-one-header")
    stage.save("settings.yaml", policy)
    table = story.files["foxtrot/routes.yaml"].decode()
    echo = table.replace("foxtrot", "echo")
    stage.save("echo/routes.yaml", echo)
    stage.save_gateway()
    edits = [
        ("echo/routes.yaml", echo),
        ("echo/routes.yaml", echo.replace("name: echo,", "name: echo-typo,", 1)),
        ("foxtrot/routes.yaml", table.replace("version: v1", "version: v2")),
    ]
    penstock = stage.control_plane(free_port(), state=stage.folder / "state")
    with penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        stage.wait_for(*START)
        for (path, text), expected in zip(edits, steps, strict=True):
            if (stage.config / path).read_text() != text:
                translated(penstock, lambda path=path, text=text: stage.save(path, text))
            stage.wait_for(*expected)
            for victims in ([penstock], [envoy], [penstock, envoy]):
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.start()
                wait_until(envoy.connected, "a stream", 20)
                stage.wait_for(*expected)
                assert envoy.rejected() == {}

from __future__ import annotations

import statistics
import time

import pytest
from support import Client, wait_until

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

EDITS = 10


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_edit_is_served_within_a_second(stage, protocol, record_property):
    """From the save of a team's table to the first answer of the new version: under one second."""
    stage.save_shipped()
    text = (stage.config / "foxtrot" / "routes.yaml").read_text()
    texts = {"foxtrot v1": text, "foxtrot v2": text.replace("version: v1", "version: v2", 1)}
    durations = []
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port):
        stage.wait_for("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")

        for number in range(EDITS):
            wanted = ("foxtrot v2", "foxtrot v1")[number % 2]
            saved = time.perf_counter()
            stage.save("foxtrot/routes.yaml", texts[wanted])
            wait_until(lambda wanted=wanted: stage.ask("/foxtrot") == wanted, wanted)
            durations.append(time.perf_counter() - saved)

    median, worst = statistics.median(durations), max(durations)
    record_property("edit_to_served_ms", [round(duration * 1000) for duration in durations])
    print(f"edit to served, {protocol}: median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms")
    assert worst < 1


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_broken_file_leaves_the_rest_served(stage, protocol):
    """While one team's file is no YAML, the other team loses no request, and both after the fix."""
    stage.save_shipped()
    good = (stage.config / "echo" / "routes.yaml").read_text()
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        stage.wait_for("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")
        with Client(stage.listener, ["/foxtrot"]) as client:
            stage.save("echo/routes.yaml", good + "  - {")
            wait_until(lambda: "PEN102" in codes(penstock), "the finding")
            wait_until(lambda mark=client.total: client.total > mark + 100, "more requests")
            stage.save("echo/routes.yaml", good)
            wait_until(lambda: not codes(penstock), "no finding")

            stage.wait_for("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")

        assert client.failures == {}
        assert envoy.rejected() == {}


def codes(penstock) -> set[str]:
    return {finding["code"] for finding in penstock.get("/api/v1/reports")["findings"]}

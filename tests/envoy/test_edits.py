from __future__ import annotations

import statistics
import time

import pytest
import yaml
from support import Client, wait_until
from support.cases import golden_inputs, on_loopback

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
    # A machine that does other work may stand still for a moment.
    assert median < 1
    assert worst < 5


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


@pytest.mark.parametrize("kind", ["static", "kube"])
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_upstream_is_replaced_under_load(stage, protocol, kind):
    """
    One save that takes an upstream away and routes to a new one fails no request.

    The new cluster must be warm before a route needs it, and the old one must stay until no route
    does (docs/protocol.md, section E).
    """
    stage.save_shipped()
    stage.save("echo/routes.yaml", team("blue", kind, stage.ports))
    with stage.control_plane() as penstock, stage.envoy(protocol, penstock.ads_port) as envoy:
        stage.wait_for("echo v1", "echo v1", "foxtrot v1", "foxtrot v2")
        with Client(stage.listener, ["/echo"]) as client:
            for upstream in ("green", "blue", "green"):
                with envoy.taking_update():
                    stage.save("echo/routes.yaml", team(upstream, kind, stage.ports))
                wait_until(
                    lambda upstream=upstream: clusters(envoy) == {f"{upstream}_echo"},
                    f"{upstream} only",
                )

        assert client.failures == {}
        assert envoy.rejected() == {}


def team(upstream: str, kind: str, ports: dict[str, int]) -> str:
    """Write a team's table together with the upstream that it needs."""
    destination = {
        "upstream": {"name": upstream},
        "subset": {"values": {"version": "v1"}},
    }
    routes = [
        {"matchers": [{"prefix": "/echo"}], "routeAction": {"single": destination}},
    ]
    subsets = {"subsetSpec": {"selectors": [{"keys": ["version"]}]}}
    host = {
        "addr": "127.0.0.1",
        "port": ports["echo-v1"],
        "metadata": {"envoy.lb": {"version": "v1"}},
    }
    spec = {
        "static": {"hosts": [host], **subsets},
        "kube": {"serviceName": "echo", "servicePort": 8080, **subsets},
    }
    documents = [
        resource("gateway.solo.io/v1", "RouteTable", "echo-routes", {"routes": routes}),
        resource("gloo.solo.io/v1", "Upstream", upstream, {kind: spec[kind]}),
    ]
    service = golden_inputs("two-phased-canary-01-first-tables")["echo/service.yaml"]
    return yaml.safe_dump_all(documents) + "---\n" + on_loopback(service, ports).decode()


def resource(version: str, kind: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def clusters(envoy) -> set[str]:
    """Return the clusters of the echo team's namespace that Envoy has."""
    lines = envoy.get("/clusters").decode().splitlines()
    return {line.partition("::")[0] for line in lines if line.partition("::")[0].endswith("_echo")}


def codes(penstock) -> set[str]:
    return {finding["code"] for finding in penstock.get("/api/v1/reports")["findings"]}

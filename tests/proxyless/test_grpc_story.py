"""What a gRPC client without a proxy gets from the tables that Envoys are served."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from grpc_story import (
    APP,
    CANARY,
    ECHO,
    FOXTROT,
    TARGET,
    calling,
    clients,
    metrics,
    nacks,
    settings,
    synced,
    table,
    upstream,
    versions,
    wait_for,
)
from support import delete, wait_until

from penstock.cli import program

pytestmark = pytest.mark.slow

REPLACED = "UNAVAILABLE: Matching route has inappropriate action"
"""What gRPC says of a route that is a direct response."""


def test_canary_from_header_to_weights(stage):
    """The header leads to v2, weights move the rest while it is called, and nothing is refused."""
    stage.save_all()
    with stage.control_plane() as penstock, stage.client(penstock) as client:
        assert Counter({"echo v1": 20}) == client.ask(TARGET, ECHO, count=20)
        assert Counter({"echo v2": 20}) == client.ask(TARGET, ECHO, count=20, metadata=CANARY)

        stage.save("echo/routes.yaml", table("echo", {"v1": 50, "v2": 50}))
        wait_for(client, "echo v2")
        halves = client.ask(TARGET, ECHO, count=400)
        stage.save("echo/routes.yaml", table("echo", {"v1": 10, "v2": 90}))
        wait_until(
            lambda: client.ask(TARGET, ECHO, count=100)["echo v2"] > 75, "the weight of v2", 20
        )
        most = client.ask(TARGET, ECHO, count=400)

        assert {"echo v1", "echo v2"} == set(halves)
        assert 140 < halves["echo v1"] < 260
        assert {"echo v1", "echo v2"} == set(most)
        assert 10 < most["echo v1"] < 90
        assert Counter({"foxtrot v1": 20}) == client.ask(TARGET, FOXTROT, count=20)
        assert {} == nacks(penstock)


def test_only_a_grpc_client_causes_work(stage):
    """Nothing is emitted for gRPC before its first client; then the proxy shows both."""
    stage.save_all()
    with stage.control_plane() as penstock:
        (proxy,) = penstock.get("/api/v1/status")["proxies"]
        assert {"version": None, "types": {}, "clients": []} == proxy["grpc"]
        assert [] == penstock.events("grpc_published")

        with stage.client(penstock) as client:
            wait_for(client, "echo v1")
            synced(penstock)
            (found,) = clients(penstock)
            (opened,) = penstock.events("stream_opened")
            text = CliRunner().invoke(
                program, ["status", "--server", f"127.0.0.1:{penstock.admin_port}"]
            )

            assert found["node"] == "shop"
            assert found["agent"].startswith("gRPC C-core")
            assert found["served"]
            assert "gateway-proxy" == opened["proxy"]
            assert opened["grpc"].startswith("C-core")
            assert 0 == text.exit_code, text.output
            assert "0 Envoys, 1 gRPC client" in text.output
            assert "  gRPC client shop  SYNCED  gRPC C-core" in text.output
            assert "1 gRPC client synced" in text.output
            assert 1 == metrics(penstock)['penstock_grpc_clients_connected{proxy="gateway-proxy"}']
            assert 0 == metrics(penstock)['penstock_proxies_connected{proxy="gateway-proxy"}']
            ours = penstock.get("/api/v1/snapshot/gateway-proxy?for=grpc")
            theirs = penstock.get("/api/v1/snapshot/gateway-proxy")
            assert set(ours["resources"]) == set(versions(found))
            assert ours["version"] != theirs["version"]


def test_endpoints_move_without_routes(stage):
    """An endpoint that is replaced gets the calls; routes and clusters are not sent again."""
    stage.save_all()
    with stage.control_plane() as penstock, stage.client(penstock) as client:
        wait_for(client, "echo v1")
        synced(penstock)
        (before,) = clients(penstock)
        ports = stage.ports("echo") | {"v1": stage.ports("foxtrot")["v1"]}

        stage.save("gateway/echo.yaml", upstream("echo", ports))

        wait_for(client, "foxtrot v1")
        synced(penstock)
        (after,) = clients(penstock)
        changed = {
            url.rpartition(".")[2]
            for url, version in versions(after).items()
            if version != versions(before)[url]
        }
        assert {"ClusterLoadAssignment"} == changed
        assert {} == nacks(penstock)


def test_names_to_dial(stage):
    """A domain is dialled as written, and with the ports of HTTP and of the listener."""
    stage.save_all()
    with stage.control_plane() as penstock, stage.client(penstock) as client:
        for name in ("svc.test", "svc.test:80", "svc.test:8080"):
            assert "echo v1" == client.say(f"xds:///{name}", ECHO)

        assert client.say("xds:///late.test", ECHO, timeout=0.2).startswith("DEADLINE_EXCEEDED")
        stage.save("gateway/app.yaml", APP.replace("svc.test", "svc.test, late.test"))
        wait_for(client, "echo v1", target="xds:///late.test")
        assert {} == nacks(penstock)


def test_a_deleted_service_is_gone_and_comes_back(stage):
    """Calls fail at once when the virtual service is deleted, and work when it is there again."""
    stage.save_all()
    stage.save("gateway/other.yaml", APP.replace("svc.test", "other.test").replace("app", "other"))
    with stage.control_plane() as penstock, stage.client(penstock) as client:
        wait_for(client, "echo v1")
        with calling(client, FOXTROT, "xds:///other.test") as others:
            delete(stage.folder / "config" / "gateway" / "app.yaml")
            wait_until(
                lambda: "LDS resource svc.test: does not exist" in client.say(TARGET, ECHO),
                "no service",
            )
            stage.save("gateway/app.yaml", APP)
            wait_for(client, "echo v1")

        assert {"foxtrot v1"} == set(others)
        assert {} == nacks(penstock)


@pytest.mark.parametrize(
    ("policy", "broken", "moves"),
    [
        (
            "replaceInvalidRoutes: true",
            "UNAVAILABLE: Matching route has inappropriate action",
            True,
        ),
        ("keepLastGoodRoutes: true", "echo v1", True),
        ("", "echo v1", False),
    ],
    ids=["replace", "keep", "hold"],
)
def test_a_mistake_does_what_the_policy_says(stage, policy, broken, moves):
    """
    An invalid route fails its calls or stays as it was, and no other team loses a call.

    The other team's edit is served, or waits for the mistake to be gone if all are held.
    """
    stage.save_all()
    stage.save("gateway/settings.yaml", settings(policy))
    with (
        stage.control_plane() as penstock,
        stage.client(penstock) as client,
        stage.client(penstock, "other") as other,
    ):
        wait_for(client, "echo v1")
        wait_for(client, "foxtrot v1", method=FOXTROT)
        with calling(other, FOXTROT) as answers:
            stage.save("echo/routes.yaml", table("echo", {"v1": 100, "v2": 0}, name="ekko"))
            wait_until(lambda: penstock.get("/api/v1/status")["findings"]["errors"], "the finding")
            stage.save("foxtrot/routes.yaml", table("foxtrot", {"v1": 0, "v2": 100}))
            if moves:
                wait_for(client, "foxtrot v2", method=FOXTROT)
            else:
                wait_until(lambda: len(penstock.events("reload_finished")) > 2, "two reloads")
                assert Counter({"foxtrot v1": 20}) == client.ask(TARGET, FOXTROT, count=20)
            wait_for(client, broken)
            assert Counter({broken: 20}) == client.ask(TARGET, ECHO, count=20)
            assert "echo v2" == client.say(TARGET, ECHO, metadata=CANARY)
            stage.save("echo/routes.yaml", table("echo", {"v1": 100, "v2": 0}))
            wait_until(
                lambda: not penstock.get("/api/v1/status")["findings"]["errors"], "no finding"
            )
            wait_for(client, "echo v1")
            wait_for(client, "foxtrot v2", method=FOXTROT)

        assert set(answers) <= {"foxtrot v1", "foxtrot v2"}
        assert sum(answers.values()) > 20
        assert {} == nacks(penstock)


def test_a_restart_is_survived(stage, tmp_path):
    """Clients call on while the control plane is away, and take its edits when it is back."""
    stage.save_all()
    state = tmp_path / "state"
    with ExitStack() as stack:
        with stage.control_plane(state=state) as penstock:
            client = stack.enter_context(stage.client(penstock))
            wait_for(client, "echo v1")
            port = penstock.ads_port
        with calling(client, ECHO) as answers, stage.control_plane(port, state) as penstock:
            with stage.client(penstock, "new") as new:
                wait_for(new, "echo v1")
            stage.save("echo/routes.yaml", table("echo", {"v1": 0, "v2": 100}))
            wait_until(lambda: answers["echo v2"], "the edit", 30)
            assert {} == nacks(penstock)

        assert {"echo v1", "echo v2"} == set(answers)


def test_upstream_is_replaced_under_load(stage):
    """One save that takes an upstream away and routes to a new one fails no call."""
    stage.save_all()

    def swap(name):
        ports = stage.ports("echo" if name == "blue" else "foxtrot")
        text = f"{upstream(name, ports)}---\n{table('echo', {'v1': 100, 'v2': 0}, name)}"
        stage.save("echo/routes.yaml", text.replace("{name: echo,", f"{{name: {name},"))

    swap("blue")
    with stage.control_plane() as penstock, stage.client(penstock) as client:
        wait_for(client, "echo v1")
        with calling(client, ECHO) as answers:
            for name, expected in (("green", "foxtrot v1"), ("blue", "echo v1")) * 3:
                before = answers[expected]
                swap(name)
                wait_until(
                    lambda expected=expected, before=before: answers[expected] > before, expected
                )
            synced(penstock)

        assert {"echo v1", "foxtrot v1"} == set(answers)
        assert {} == nacks(penstock)

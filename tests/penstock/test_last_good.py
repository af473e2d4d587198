"""What survives the end of the program: real processes, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import shutil
import subprocess
import sys

import pytest
from policy import story
from support import ControlPlane, save, wait_until

from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

pytestmark = pytest.mark.slow
PROXY = "gateway-proxy"
SERVICE, PODS = story.kube("api", 1, 2)
BROKEN = story.table("echo", story.route("/echo", "typo"))


@pytest.fixture
def config(tmp_path):
    config = tmp_path / "config"
    files = {
        "gateway/app.yaml": story.APP,
        "gateway/settings.yaml": story.HOLD,
        "gateway/echo.yaml": story.upstream("echo"),
        "gateway/api.yaml": SERVICE,
        "gateway/pods.yaml": PODS,
        "echo/routes.yaml": story.table("echo", story.route("/echo", "echo")),
        "foxtrot/routes.yaml": story.table("foxtrot", story.split("/foxtrot", ("api", 1))),
    }
    for name, text in files.items():
        save(config / name, text)
    return config


@pytest.fixture
def plane(config, tmp_path):
    plane = ControlPlane(config, tmp_path / "log")
    plane.command += ["--state", str(tmp_path / "state"), "--log-level", "debug"]
    with plane:
        yield plane


def reloaded(plane, times=1):
    wait_until(lambda: len(plane.events("reload_finished")) >= times, "a reload", deadline=20)


def get(plane, path):
    """Return status and text of an admin page."""
    connection = http.client.HTTPConnection("127.0.0.1", plane.admin_port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def restart(plane):
    plane.kill()
    plane.start()


async def ask(plane, have):
    """Ask as an Envoy does that may have some versions, and return those that it is sent."""
    sent = {}
    names = {LOAD_ASSIGNMENT: ["api_gloo-system"], ROUTE_CONFIGURATION: ["listener-::-8080-routes"]}
    async with FakeEnvoy(plane.ads_port, protocol="delta", cluster=PROXY) as envoy:
        for type_url in (CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION):
            wanted, known = names.get(type_url, ()), have.get(type_url, {})
            await envoy.subscribe(type_url, *wanted, have=known)
            # Who asks for everything gets an answer in any case, if an empty one.
            if not known or not wanted:
                response = await envoy.expect(type_url)
                await envoy.ack(response)
                sent[type_url] = dict(response.versions)

                assert () == response.removed
        await envoy.expect_silence(seconds=0.3)
    return {type_url: found for type_url, found in sent.items() if found}


def versions(plane, have=None):
    return asyncio.run(ask(plane, have or {}))


def test_nothing_is_sent_again_after_a_restart(plane):
    """An Envoy that comes back with what it has is sent nothing, neither at once nor later."""
    reloaded(plane)
    before = versions(plane)
    version = plane.get(f"/api/v1/snapshot/{PROXY}")["version"]

    restart(plane)
    at_once = plane.events("state_loaded")[0]["versions"]
    sent = versions(plane, have=before)
    reloaded(plane)

    assert 4 == len(before)
    assert {} == sent == versions(plane, have=before)
    assert {PROXY: version} == at_once
    assert before == versions(plane)
    assert ["unchanged"] == [event["result"] for event in plane.events("reload_finished")]
    assert [] == plane.events("snapshot_published")


def test_nothing_is_written_again_after_a_restart(plane):
    """As long as no Envoy says anything new, what is on the disk stays as it is."""
    reloaded(plane)

    restart(plane)
    reloaded(plane)

    assert [False] == [event["written"] for event in plane.events("state_saved")]


@pytest.mark.parametrize("policy", [story.HOLD, story.KEEP, story.REPLACE])
def test_a_table_that_is_broken_meanwhile_is_treated_as_before(plane, config, policy):
    """A mistake made while nobody looked meets the same policy as one that was seen."""
    save(config / "gateway/settings.yaml", policy)
    reloaded(plane)
    plane.kill()
    save(config / "echo/routes.yaml", BROKEN)
    save(
        config / "foxtrot/routes.yaml", story.table("foxtrot", story.split("/foxtrot", ("echo", 1)))
    )

    plane.start()
    reloaded(plane)
    after = plane.get(f"/api/v1/snapshot/{PROXY}")["version"]
    expected = uninterrupted(policy)

    assert expected == after


def uninterrupted(policy):
    from translator.emit import emit

    now = story.Story(
        policy,
        gateway__api=SERVICE,
        gateway__pods=PODS,
        gateway__foxtrot="",
        echo__routes=story.table("echo", story.route("/echo", "echo")),
        foxtrot__routes=story.table("foxtrot", story.split("/foxtrot", ("api", 1))),
    )
    now.edit(
        echo__routes=BROKEN,
        foxtrot__routes=story.table("foxtrot", story.split("/foxtrot", ("echo", 1))),
    )
    return emit(now.proxy).version_info


def test_a_held_proxy_stays_held_since_then(plane, config):
    """A restart in the middle of trouble changes neither what is served nor since when."""
    reloaded(plane)
    good = versions(plane)
    save(config / "echo/routes.yaml", BROKEN)
    wait_until(lambda: plane.get("/api/v1/status")["proxies"][0]["held"], "the hold")
    status = plane.get("/api/v1/status")
    findings = plane.get("/api/v1/reports")["findings"]

    restart(plane)
    reloaded(plane)
    (before,) = status["proxies"]
    (after,) = plane.get("/api/v1/status")["proxies"]

    assert before["held"]
    assert (before["held"], before["since"]) == (after["held"], after["since"])
    assert [each["since"] for each in findings] == [
        each["since"] for each in plane.get("/api/v1/reports")["findings"]
    ]
    assert good[ROUTE_CONFIGURATION] == versions(plane)[ROUTE_CONFIGURATION]


def test_a_folder_that_is_gone_is_not_needed(plane, config):
    """What was served is served, the outage is told, and the folder is followed when it is back."""
    reloaded(plane)
    before = versions(plane)
    plane.kill()
    shutil.move(config, config.with_name("elsewhere"))

    plane.start()
    wait_until(lambda: plane.events("source_lost"), "the outage")

    assert before == versions(plane)
    assert 200 == get(plane, "/readyz")[0]
    assert not plane.get("/api/v1/status")["source"]["readable"]

    shutil.move(config.with_name("elsewhere"), config)
    wait_until(lambda: plane.events("source_recovered"), "the folder", deadline=20)

    assert before == versions(plane)


def test_without_a_last_good_a_missing_folder_is_an_error(tmp_path):
    """There is nothing to serve: the program ends with 2, as without a state directory."""
    ended = serve(tmp_path / "typo", tmp_path / "state")

    assert 2 == ended.returncode
    assert f"no such file or folder: {tmp_path / 'typo'}" in ended.stderr


def test_two_control_planes_cannot_share_a_directory(plane, config, tmp_path):
    """The second one ends with 2 and says who was there first, and the first one goes on."""
    reloaded(plane)

    ended = serve(config, tmp_path / "state")

    assert 2 == ended.returncode
    assert (
        f"another control plane (process {plane.process.pid}) uses the state directory "
        f"'{tmp_path / 'state'}'"
    ) in ended.stderr
    assert plane.alive()


def serve(config, state):
    command = [sys.executable, "-m", "penstock", "serve", config, "--state", state]
    command += ["--ads", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_damaged_state_is_told_and_replaced(plane, tmp_path):
    """It is as if there had been none, except that everybody who looks is told."""
    reloaded(plane)
    before = versions(plane)
    plane.kill()
    manifest = tmp_path / "state" / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:-9])

    plane.start()
    reloaded(plane)

    assert ["its checksum is wrong"] == [
        event["reason"].rpartition(": ")[2] for event in plane.events("state_damaged")
    ]
    assert before == versions(plane)

    restart(plane)
    reloaded(plane)

    assert [] == plane.events("state_damaged")
    assert plane.events("state_loaded")[0]["versions"]


def test_a_directory_that_cannot_be_used_stops_nobody(config, tmp_path):
    """It is told in log, status and metrics; everything is served all the same."""
    (tmp_path / "state").write_text("a file")
    plane = ControlPlane(config, tmp_path / "log")
    plane.command += ["--state", str(tmp_path / "state")]
    with plane:
        reloaded(plane)
        state = plane.get("/api/v1/status")["state"]
        (told,) = plane.events("state_unwritable")
        _, metrics = get(plane, "/metrics")

        assert 4 == len(versions(plane))
        assert not state["writable"]
        assert str(tmp_path / "state") == state["directory"]
        assert state["reason"] == told["reason"]
        assert "penstock_state_writable 0.0" in metrics
        assert 'penstock_state_saves_total{result="failed"} 2.0' in metrics

from __future__ import annotations

import signal

import pytest
from support import Client, free_port, wait_until

pytestmark = [pytest.mark.envoy, pytest.mark.slow]


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["told", "killed"])
def test_control_plane_restarts(stage, protocol, end):
    """
    Envoy outlives its control plane and does not notice who comes back.

    It starts first, serves while there is no control plane, and gets the same versions from the
    next one, which it then follows.
    """
    stage.save_shipped()
    ads_port = free_port()
    with stage.envoy(protocol, ads_port) as envoy:
        assert not envoy.connected()
        with stage.control_plane(ads_port) as penstock:
            stage.wait_for("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")
            versions = envoy.versions()
            with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
                code = penstock.end(end)
                wait_until(lambda: not envoy.connected(), "the end of the stream")
                mark = client.total
                wait_until(lambda: client.total > mark + 100, "requests without a control plane")

                penstock.start()
                wait_until(envoy.connected, "another stream")
                assert envoy.versions() == versions

                text = (stage.config / "foxtrot" / "routes.yaml").read_text()
                stage.save("foxtrot/routes.yaml", text.replace("version: v1", "version: v2"))
                stage.wait_for("echo v1", "echo v2", "foxtrot v2", "foxtrot v2")

    assert code == (0 if end == signal.SIGTERM else -end)
    assert len(versions) == 4
    assert client.failures == {}

"""What becomes of the connection between the control plane and a real Envoy."""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass

import pytest
import yaml
from in_process import Server, snapshot
from support import Client, RealEnvoy, bootstrap, wait_until

from xds.limits import Limits
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

APPLIED = "added|modified|removed|rds.*update_success|one.*update_success"
"""The counters of Envoy that move when a resource is applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcDefaults(Limits):
    """What gRPC does if it is told nothing."""

    def channel_options(self):
        return (("grpc.so_reuseport", 0),)


def pinging(protocol, port, seconds):
    """Return the shipped bootstrap with another interval of Envoy's keepalive."""
    document = yaml.safe_load(bootstrap(protocol, port))
    (cluster,) = document["static_resources"]["clusters"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    http2 = options["explicit_http_config"]["http2_protocol_options"]
    http2["connection_keepalive"] = {"interval": f"{seconds}s", "timeout": "1s"}
    return yaml.safe_dump(document)


def one_cluster(stage):
    return snapshot({"one": stage.ports["echo-v1"]}, listener=stage.listener, to="one")


def test_rule_120_keepalive_of_envoy(stage):
    """Pings every 2 s do not end the stream; a server with gRPC's own options drops it for them."""
    common = {"node": "test", "protocol": "delta"}
    with (
        Server(one_cluster(stage)) as ours,
        Server(one_cluster(stage), limits=GrpcDefaults()) as control,
        RealEnvoy(
            stage.folder / "ours",
            ads_port=ours.port,
            document=pinging("delta", ours.port, 2),
            **common,
        ) as envoy,
    ):
        wait_until(envoy.ready, "Envoy")
        began = time.monotonic()
        # The other would listen on the same port, which does not matter here.
        with RealEnvoy(
            stage.folder / "control",
            ads_port=control.port,
            document=pinging("delta", control.port, 2),
            **common,
        ):
            wait_until(lambda: control.seen.closed, "the default server's drop", deadline=30)
        wait_until(lambda: time.monotonic() > began + 12, "12 s", deadline=15)

        assert envoy.connected()
        assert 1 == len(ours.seen.opened)
        assert [] == ours.seen.closed


@pytest.mark.parametrize("pushing", [False, True])
def test_rule_121_a_dead_client_is_found(stage, pushing):
    """An Envoy that hangs is noticed by our own keepalive, in silence and during a push."""
    limits = Limits(keepalive_seconds=1, keepalive_timeout_seconds=1)
    new = snapshot({"two": stage.ports["echo-v2"]}, listener=stage.listener, to="two")
    with (
        Server(one_cluster(stage), limits=limits) as server,
        RealEnvoy(stage.folder / "envoy", "sotw", server.port) as envoy,
    ):
        wait_until(lambda: stage.ask("/") == "echo v1", "the first answer")
        envoy.process.send_signal(signal.SIGSTOP)
        if pushing:
            server.publish(new)
        wait_until(lambda: server.seen.closed, "the end of the stream")
        server.publish(new)
        envoy.process.send_signal(signal.SIGCONT)
        wait_until(lambda: stage.ask("/") == "echo v2", "the new route, after all")


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_rule_122_connections_of_a_certain_age(stage, protocol):
    """Connections end after their time: Envoy comes back, misses no request, refuses nothing."""
    limits = Limits(connection_seconds=2, connection_grace_seconds=1)
    with (
        Server(one_cluster(stage), limits=limits) as server,
        RealEnvoy(stage.folder / "envoy", protocol, server.port) as envoy,
    ):
        wait_until(envoy.ready, "Envoy")
        wait_until(lambda: stage.ask("/") == "echo v1", "the first answer")
        first = Counter(server.seen.sent)
        applied = envoy.stats(APPLIED)
        with Client(stage.listener, ["/"], [False]) as client:
            wait_until(lambda: len(server.seen.opened) >= 4, "three reconnects", deadline=20)
            wait_until(envoy.connected, "the connection")
        again = Counter(server.seen.sent) - first

        assert {} == client.failures
        assert {} == envoy.rejected()
        if protocol == "delta":
            # But for the answer that everything wanted is there, nothing is sent again.
            assert {CLUSTER, LISTENER} >= again.keys()
            assert applied == envoy.stats(APPLIED)
        else:
            assert {CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION} == again.keys()
    assert [] == server.seen.rejections

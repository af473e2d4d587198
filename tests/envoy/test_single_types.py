"""An Envoy without ADS: each type, and each name, on a stream of its own."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml
from in_process import Server, own_stream, snapshot
from support import RealEnvoy, bootstrap, wait_until

from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

APIS = {"sotw": "GRPC", "delta": "DELTA_GRPC"}


def without_ads(protocol, port):
    """Return the shipped bootstrap, with streams of a single type in the place of ADS."""
    document = yaml.safe_load(bootstrap(protocol, port))
    document["dynamic_resources"] = {
        "cds_config": own_stream(APIS[protocol]),
        "lds_config": own_stream(APIS[protocol]),
    }
    return yaml.safe_dump(document)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_rules_7_and_37_an_envoy_without_ads(stage, protocol):
    """It gets everything, follows changes of each type without a timeout, and refuses nothing."""
    ports = {"one": stage.ports["echo-v1"], "two": stage.ports["echo-v2"]}
    common = {"listener": stage.listener, "source": own_stream(APIS[protocol])}
    with (
        Server(snapshot(ports, to="one", **common)) as server,
        RealEnvoy(
            stage.folder / "envoy",
            protocol,
            server.port,
            document=without_ads(protocol, server.port),
        ) as envoy,
    ):
        wait_until(envoy.ready, "Envoy")
        wait_until(lambda: stage.ask("/") == "echo v1", "the first answer")
        first = Counter(stream.type_url for stream in server.seen.opened)

        server.publish(snapshot(ports, to="two", **common))
        wait_until(lambda: stage.ask("/") == "echo v2", "the changed route")
        swapped = {"one": ports["two"], "two": ports["one"]}
        server.publish(snapshot(swapped, to="two", **common))
        wait_until(lambda: stage.ask("/") == "echo v1", "the changed endpoints")
        server.publish(snapshot({**swapped, "three": ports["two"]}, to="three", **common))
        wait_until(lambda: stage.ask("/") == "echo v2", "the new cluster")
        # Within the deadline of `wait_until`: a wait for endpoints would take Envoy 15 s.
        server.publish(snapshot({"three": ports["two"]}, to="three", timeout=7, **common))
        wait_until(
            lambda: (
                envoy.stats("cluster_manager")["cluster_manager.active_clusters"] == 2
                and envoy.stats("cluster_manager")["cluster_manager.warming_clusters"] == 0
                and envoy.stats("cluster_manager")["cluster_manager.cluster_removed"] == 2
                and envoy.stats("cluster_manager")["cluster_manager.cluster_modified"] == 1
            ),
            "the changed cluster, and no other",
        )

        assert stage.ask("/") == "echo v2"
        assert envoy.rejected() == {}

    assert {CLUSTER: 1, LOAD_ASSIGNMENT: 2, LISTENER: 1, ROUTE_CONFIGURATION: 1} == first
    # One for each cluster that there was, and another for the one that was changed.
    assert 4 == Counter(each.type_url for each in server.seen.opened)[LOAD_ASSIGNMENT]
    assert [] == server.seen.rejections

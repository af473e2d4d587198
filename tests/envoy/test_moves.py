"""Traffic that is moved to and fro between clusters, and loses no request (rules 78 to 88)."""

from __future__ import annotations

import itertools
import os
import random
import time
from contextlib import ExitStack

import pytest
from support import Ads, Client, RealEnvoy, fetch, free_port, wait_until
from support.handmade import assignment, cluster, endpoints, listener, one_route

from penstock.address import Address
from penstock.demo_backends import Backend
from xds.snapshot import Snapshot
from xds.types import CLUSTER

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

MOVES = int(os.environ.get("PENSTOCK_MOVES", "200"))
CLIENTS = 4
"""Each has one request under way at any time."""

ONE, TWO = "one", "two"


def other_cluster(ports):
    """Each of the two has its own cluster, and nothing of the other's."""
    return [
        [cluster(name), endpoints(name, ports[name]), one_route("r", name)] for name in (ONE, TWO)
    ]


def other_endpoints(ports):
    """One cluster, whose endpoints are replaced."""
    return [[cluster("c"), endpoints("c", ports[name]), one_route("r", "c")] for name in (ONE, TWO)]


def other_configuration(ports):
    """One cluster, which is changed together with its endpoints."""
    return [
        [cluster("c", timeout=timeout), endpoints("c", ports[name]), one_route("r", "c")]
        for timeout, name in enumerate((ONE, TWO), start=1)
    ]


def other_service(ports):
    """One cluster, which takes its endpoints from an assignment of another name."""
    return [
        [cluster("c", name), endpoints(name, ports[name]), one_route("r", "c")]
        for name in (ONE, TWO)
    ]


def other_discovery(ports):
    """One cluster, with its endpoints by EDS or in itself."""
    inline = {"type": "STATIC", "load_assignment": assignment("c", ports[TWO])}
    return [
        [cluster("c"), endpoints("c", ports[ONE]), one_route("r", "c")],
        [cluster("c", eds_cluster_config=None, **inline), one_route("r", "c")],
    ]


OFTEN = (other_cluster, other_configuration)
"""The moves that are made as often as it says above; the others a quarter of it."""


@pytest.fixture
def ports():
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Backend.bind(Address("127.0.0.1", 0), name)).address.port
            for name in (ONE, TWO)
        }


@pytest.mark.timeout(max(120, MOVES))
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("pace", ["settled", "fast"])
@pytest.mark.parametrize(
    "move",
    [other_cluster, other_endpoints, other_configuration, other_service, other_discovery],
    ids=lambda move: move.__name__,
)
def test_rule_88_moves_lose_no_request(tmp_path, protocol, pace, move, ports, record_property):
    """
    However often, and however fast, traffic is moved: every request is answered by either end.

    *Settled*: each move waits until Envoy has accepted the one before, and has taken effect when
    it is accepted. *Fast*: it does not wait, and catches the one before in any of its steps.
    """
    port = free_port()
    snapshots = [Snapshot.of([*resources, listener("l", port, "r")]) for resources in move(ports)]
    assert [(), ()] == [snapshot.inconsistencies() for snapshot in snapshots]
    moves = MOVES if move in OFTEN else MOVES // 4
    phase = random.Random(88)
    with (
        Ads(snapshots[0]) as ads,
        RealEnvoy(tmp_path / "envoy", protocol, ads.port) as envoy,
        ExitStack() as stack,
    ):
        ads.wait_until_settled()
        wait_until(lambda: fetch(port, "/").body == ONE, "the first answer")
        clients = [stack.enter_context(Client(port, ["/"], [False])) for _ in range(CLIENTS)]
        began = time.perf_counter()
        for number in itertools.islice(itertools.cycle((1, 0)), moves):
            ads.publish(snapshots[number])
            if pace == "settled":
                ads.wait_until_settled()
                assert (ONE, TWO)[number] == fetch(port, "/").body
            else:
                ads.wire.wait_for_messages(phase.randrange(8), 0.01)
        ads.wait_until_settled()
        seconds = time.perf_counter() - began
        wait_until(lambda: fetch(port, "/").body == (ONE, TWO)[number], "the last answer")

        assert envoy.rejected() == {}
        assert envoy.clusters().keys() == snapshots[number].resources(CLUSTER).keys()
        assert {} == failures_seen_by(envoy)
    requests = sum(client.total for client in clients)
    record_property("requests", requests)
    print(f"{move.__name__} {protocol} {pace}: {requests} requests in {seconds:.1f} s")
    assert [{}] * CLIENTS == [client.failures for client in clients]
    assert {ONE, TWO} == {answer.body for client in clients for _, _, answer in client.answers}
    assert requests >= moves


def failures_seen_by(envoy):
    """Return what Envoy counts of requests that met no route, no cluster or no endpoint."""
    counters = envoy.stats(
        r"^http\.r\.(no_cluster|no_route|downstream_rq_[45]xx|downstream_rq_rx_reset)$"
        "|upstream_cx_none_healthy|upstream_rq_pending_failure_eject"
    )
    return {name: value for name, value in counters.items() if value}

"""Traffic that is moved to and fro between clusters, and loses no request (rules 78 to 88)."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from support import Ads, Client, RealEnvoy, fetch, free_port, wait_until
from support.handmade import assignment, cluster, endpoints, listener, one_route

from penstock.address import Address
from penstock.demo_backends import Backend
from xds.snapshot import Snapshot
from xds.types import CLUSTER

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

MOVES = int(os.environ.get("PENSTOCK_MOVES", "200"))
AWAY = max(4, MOVES // 50)
"""The moves while Envoy is away; it takes a fraction of a second each time to come back."""
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


@dataclass(frozen=True)
class Moving:
    ads: Ads
    envoy: RealEnvoy
    port: int
    snapshots: list[Snapshot]
    """The moves, in their order."""


MOVES_OF_EVERY_KIND = [
    other_cluster,
    other_endpoints,
    other_configuration,
    other_service,
    other_discovery,
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


@contextmanager
def moving(folder, protocol, move, ports, moves):
    """Serve the first end to an Envoy under traffic, and look for lost requests at the end."""
    port = free_port()
    snapshots = [Snapshot.of([*resources, listener("l", port, "r")]) for resources in move(ports)]
    assert [(), ()] == [snapshot.inconsistencies() for snapshot in snapshots]
    with (
        Ads(snapshots[0]) as ads,
        RealEnvoy(folder / "envoy", protocol, ads.port) as envoy,
        ExitStack() as stack,
    ):
        ads.wait_until_settled()
        wait_until(lambda: fetch(port, "/").body == ONE, "the first answer")
        clients = [stack.enter_context(Client(port, ["/"], [False])) for _ in range(CLIENTS)]
        began = time.perf_counter()
        yield Moving(ads, envoy, port, [snapshots[(1 + number) % 2] for number in range(moves)])
        ads.wait_until_settled()
        seconds = time.perf_counter() - began
        last = (ONE, TWO)[moves % 2]
        wait_until(lambda: fetch(port, "/").body == last, "the last answer")

        assert envoy.rejected() == {}
        assert envoy.clusters().keys() == ads.snapshot.resources(CLUSTER).keys()
        assert {} == failures_seen_by(envoy)
    requests = sum(client.total for client in clients)
    print(f"{move.__name__} {protocol}: {moves} moves, {requests} requests in {seconds:.1f} s")
    assert [{}] * CLIENTS == [client.failures for client in clients]
    assert {ONE, TWO} == {answer.body for client in clients for _, _, answer in client.answers}
    assert requests >= moves


@pytest.mark.timeout(max(120, MOVES))
@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("pace", ["settled", "fast"])
@pytest.mark.parametrize("move", MOVES_OF_EVERY_KIND, ids=lambda move: move.__name__)
def test_rule_88_moves_lose_no_request(tmp_path, protocol, pace, move, ports):
    """
    However often, and however fast, traffic is moved: every request is answered by either end.

    *Settled*: each move waits until Envoy has accepted the one before, and has taken effect when
    it is accepted. *Fast*: it does not wait, and catches the one before in any of its steps.
    """
    moves = MOVES if move in OFTEN else MOVES // 4
    phase = random.Random(88)
    with moving(tmp_path, protocol, move, ports, moves) as scene:
        for number, snapshot in enumerate(scene.snapshots, start=1):
            scene.ads.publish(snapshot)
            if pace == "settled":
                scene.ads.wait_until_settled()
                assert (ONE, TWO)[number % 2] == fetch(scene.port, "/").body
            else:
                scene.ads.wire.wait_for_messages(phase.randrange(8), 0.01)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
@pytest.mark.parametrize("move", MOVES_OF_EVERY_KIND, ids=lambda move: move.__name__)
def test_rule_88_moves_while_away(tmp_path, protocol, move, ports):
    """A move while Envoy has no management server loses no request when it has one again."""
    with moving(tmp_path, protocol, move, ports, AWAY) as scene:
        for snapshot in scene.snapshots:
            scene.ads.stop()
            mark = len(scene.ads.wire.messages)
            scene.ads.publish(snapshot)
            scene.ads.start(remembering=True)
            wait_until(lambda mark=mark: scene.ads.wire.requests(CLUSTER, since=mark), "a stream")
            scene.ads.wait_until_settled()


@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param(
            "sotw",
            marks=pytest.mark.xfail(
                strict=True,
                reason="the client does not say which clusters it has, and nobody else knows",
            ),
        ),
        "delta",
    ],
)
def test_rule_88_move_to_another_server(tmp_path, protocol, ports):
    """A server that knows nothing of the one before loses no request either."""
    with moving(tmp_path, protocol, other_cluster, ports, AWAY) as scene:
        for snapshot in scene.snapshots:
            scene.ads.stop()
            mark = len(scene.ads.wire.messages)
            scene.ads.snapshot = snapshot
            scene.ads.start()
            wait_until(lambda mark=mark: scene.ads.wire.requests(CLUSTER, since=mark), "a stream")
            scene.ads.wait_until_settled()


def failures_seen_by(envoy):
    """Return what Envoy counts of requests that met no route, no cluster or no endpoint."""
    counters = envoy.stats(
        r"^http\.r\.(no_cluster|no_route|downstream_rq_[45]xx|downstream_rq_rx_reset)$"
    )
    return {name: value for name, value in counters.items() if value}

"""
What Envoy refuses, with which words, and what becomes of everything else.

The translator makes nothing of what is refused here. Each row changes three resources at once, one
of them for the bad.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support import Ads, RealEnvoy, fetch, free_port, wait_until
from support.handmade import (
    address,
    assignment,
    cluster,
    http,
    listener,
    one_route,
    route,
    routes,
    virtual_host,
)

from penstock.address import Address
from penstock.demo_backends import Backend
from xds import messages
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from xds.snapshot import Resource

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

both = pytest.mark.parametrize("protocol", ["sotw", "delta"])

SOON = 5.0
"""Seconds in which an update is served, however busy the machine; nothing waits for 15 or 20."""
QUIET = 0.2
"""Seconds in which a loop of NACK and resend would go round a hundred times."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A change of three resources of a type, and how to see which version of each is in force."""

    base: list[Resource]
    others: list[Resource]
    """The two innocent ones, as changed; by name they replace those of `base`."""
    fixed: Resource
    """The guilty one as it should have been."""
    later: Resource
    """An innocent one, changed once more."""
    seen: Callable[[], dict[str, str]]
    """Returns the answers that the three give."""
    before: dict[str, str]
    after: dict[str, str]
    """With all but the guilty one changed."""
    last: dict[str, str]
    """With all of them changed, and the innocent one once more."""


def snapshot(*resources):
    """Make a snapshot in which a later resource replaces an earlier one of its type and name."""
    return Snapshot.of({(each.type_url, each.name): each for each in resources}.values())


def says(text):
    return {"match": {"prefix": "/"}, "direct_response": direct(text)}


def direct(text):
    return {"status": 200, "body": {"inline_string": text}}


@contextmanager
def scene_of_routes():
    """Three listeners, each with its route configuration, that answer by themselves."""
    ports = {name: free_port() for name in ("ra", "rx", "rc")}

    def version(name, text):
        return routes(name, virtual_host(says(text)))

    yield Scene(
        base=[
            static("c0", free_port()),
            *(listener(f"l-{name}", port, name) for name, port in ports.items()),
            *(version(name, "1") for name in ports),
        ],
        others=[version("ra", "2"), version("rc", "2")],
        fixed=version("rx", "3"),
        later=version("ra", "4"),
        seen=lambda: {name: fetch(port, "/").body for name, port in ports.items()},
        before={"ra": "1", "rx": "1", "rc": "1"},
        after={"ra": "2", "rx": "1", "rc": "2"},
        last={"ra": "4", "rx": "3", "rc": "2"},
    )


@contextmanager
def scene_of_clusters():
    """Three clusters that go from one backend to another."""
    names, port = ("c0", "cx", "c2"), free_port()
    with ExitStack() as stack:
        one, two, three = (
            stack.enter_context(Backend.bind(Address("127.0.0.1", 0), text)).address.port
            for text in ("1", "2", "3")
        )
        yield Scene(
            base=[
                *(static(name, one) for name in names),
                listener("l", port, "r"),
                routes(
                    "r", virtual_host(*(route(f"/{each}", each) for each in names)), requires=names
                ),
            ],
            others=[static("c0", two), static("c2", two)],
            fixed=static("cx", three),
            later=static("c0", three),
            seen=lambda: {name: fetch(port, f"/{name}").body for name in names},
            before={"c0": "1", "cx": "1", "c2": "1"},
            after={"c0": "2", "cx": "1", "c2": "2"},
            last={"c0": "3", "cx": "3", "c2": "2"},
        )


@contextmanager
def scene_of_listeners():
    """Three listeners that go from one set of routes to another."""
    ports = {name: free_port() for name in ("la", "lx", "lc")}

    def version(name, text):
        return listener(name, ports[name], f"r{text}")

    def seen():
        # An answer with another connection each: the old listener drains.
        return {name: fetch(port, "/").body for name, port in ports.items()}

    yield Scene(
        base=[
            *(version(name, "1") for name in ports),
            listener(
                "l-all",
                free_port(),
                "r1",
                filter_chains=[
                    {
                        "filter_chain_match": {"destination_port": {"value": 1 + number}},
                        "filters": [http(f"r{number}")],
                    }
                    for number in range(1, 5)
                ],
            ),
            *(routes(f"r{number}", virtual_host(says(str(number)))) for number in range(1, 5)),
        ],
        others=[version("la", "2"), version("lc", "2")],
        fixed=version("lx", "3"),
        later=version("la", "4"),
        seen=seen,
        before={"la": "1", "lx": "1", "lc": "1"},
        after={"la": "2", "lx": "1", "lc": "2"},
        last={"la": "4", "lx": "3", "lc": "2"},
    )


def static(name, port, **fields):
    """Make a cluster with its endpoint in itself."""
    inline = {"type": "STATIC", "load_assignment": assignment(name, port)}
    return cluster(name, **{"eds_cluster_config": None, **inline, **fields})


SCENES = {
    ROUTE_CONFIGURATION: scene_of_routes,
    CLUSTER: scene_of_clusters,
    LISTENER: scene_of_listeners,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    bad: Callable[[], Resource]
    text: str | None
    """What Envoy says of it, with `…` where it says more; None if it accepts it."""
    named: bool = True
    """Whether the server knows at once whom to blame, from the text or from the nonce."""
    protocols: tuple[str, ...] = ("sotw", "delta")

    def __str__(self):
        return self.name


def bad_routes(*entries, **fields):
    return lambda: routes("rx", virtual_host(*entries, says("2")), **fields)


def to(**action):
    return {"match": {"prefix": "/to"}, "route": action}


def bad_hosts(*hosts):
    return lambda: routes("rx", *hosts)


def unknown(name):
    """Return the typed configuration of an extension that Envoy does not have."""
    return messages.build("google.protobuf.Any", type_url=f"type.googleapis.com/{name}")


def bad_subsets(**subsets):
    return lambda: static("cx", 9, lb_subset_config=subsets)


def fallback(*keys):
    return bad_subsets(
        fallback_policy="ANY_ENDPOINT",
        subset_selectors=[
            {
                "keys": ["a", "b"],
                "fallback_policy": "KEYS_SUBSET",
                "fallback_keys_subset": keys,
            }
        ],
    )


def cluster_provided():
    return cluster(
        "cx",
        type="ORIGINAL_DST",
        eds_cluster_config=None,
        lb_policy="CLUSTER_PROVIDED",
        lb_subset_config={"fallback_policy": "ANY_ENDPOINT", "subset_selectors": [{"keys": ["a"]}]},
    )


def bad_listener(**fields):
    return lambda: listener("lx", free_port(), "r1", **fields)


def same_chain_twice():
    return listener("lx", free_port(), "r1", filter_chains=[{"filters": [http("r1")]}] * 2)


def taken_address():
    return listener("lx", TAKEN[0], "r1")


TAKEN = []
"""The port of an address that nobody else can have."""

ROWS = [
    Row(
        name="regex",
        bad=bad_routes({"match": {"safe_regex": {"regex": "[a"}}, "direct_response": direct("2")}),
        text="missing ]: [",
    ),
    Row(
        name="weights of zero",
        bad=bad_routes(
            to(weighted_clusters={"clusters": [{"name": "c0", "weight": {"value": 0}}]})
        ),
        text="Sum of weights in the weighted_cluster must be greater than 0.",
    ),
    Row(
        name="unknown cluster, validated",
        bad=bad_routes(to(cluster="nope"), validate_clusters={"value": True}),
        text="route: unknown cluster 'nope'",
    ),
    Row(name="unknown cluster", bad=bad_routes(to(cluster="nope")), text=None),
    Row(
        name="two wildcard domains",
        bad=bad_hosts(virtual_host(says("2")), virtual_host(says("2"), name="w")),
        text="Only a single wildcard domain is permitted in route rx",
    ),
    Row(
        name="duplicate domain",
        bad=bad_hosts(
            virtual_host(says("2")),
            virtual_host(says("2"), name="w", domain="a.example.com"),
            virtual_host(says("2"), name="x", domain="A.example.com"),
        ),
        text="Only unique values for domains are permitted. "
        "Duplicate entry of domain a.example.com in route rx",
    ),
    Row(
        name="duplicate virtual host",
        bad=bad_hosts(virtual_host(says("2")), virtual_host(says("2"), domain="a.example.com")),
        text=None,
    ),
    Row(
        name="no action",
        bad=bad_routes({"match": {"prefix": "/none"}}),
        text="Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts"
        '…caused by field: "action", reason: is required',
    ),
    Row(
        name="no match",
        bad=bad_routes({"direct_response": direct("2")}),
        text="Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts"
        "…caused by RouteValidationError.Match: value is required",
    ),
    Row(
        name="host header",
        bad=lambda: routes(
            "rx",
            virtual_host(
                says("2"), request_headers_to_add=[{"header": {"key": "host", "value": "a"}}]
            ),
        ),
        text=":-prefixed or host headers may not be modified",
    ),
    Row(
        name="unknown filter of a route",
        bad=lambda: routes(
            "rx",
            virtual_host(
                says("2"), typed_per_filter_config={"envoy.filters.http.nope": unknown("no.Such")}
            ),
        ),
        text="Didn't find a registered implementation for 'envoy.filters.http.nope' "
        "with type URL: 'no.Such'",
    ),
    Row(
        name="fallback keys equal",
        bad=fallback("a", "b"),
        text="Error adding/updating cluster(s) cx: fallback_keys_subset cannot be equal to keys",
    ),
    Row(
        name="fallback keys foreign",
        bad=fallback("c"),
        text="Error adding/updating cluster(s) cx: fallback_keys_subset must be a subset of "
        "selector keys",
    ),
    Row(
        name="cluster's own balancer with subsets",
        bad=cluster_provided,
        text="cluster: LB policy CLUSTER_PROVIDED cannot be combined with lb_subset_config",
    ),
    Row(
        name="single host of two keys",
        bad=bad_subsets(
            fallback_policy="ANY_ENDPOINT",
            subset_selectors=[{"keys": ["a", "b"], "single_host_per_subset": True}],
        ),
        text=None,
    ),
    Row(
        name="negative timeout",
        bad=lambda: static("cx", 9, timeout=-1),
        text="Invalid duration: Expected positive duration",
        named=False,
    ),
    Row(
        name="address that is none",
        bad=lambda: static(
            "cx",
            9,
            load_assignment={
                "cluster_name": "cx",
                "endpoints": [
                    {"lb_endpoints": [{"endpoint": {"address": address(9, "not-an-ip")}}]}
                ],
            },
        ),
        text="Error adding/updating cluster(s) cx: malformed IP address: not-an-ip.",
    ),
    Row(
        name="no filter chain",
        bad=bad_listener(filter_chains=[]),
        text="Error adding/updating listener(s) lx: …no filter chains specified",
    ),
    Row(
        name="address that is taken",
        bad=taken_address,
        text="Error adding/updating listener(s) lx: "
        "cannot bind '127.0.0.1:…': Address already in use",
    ),
    Row(
        name="unknown filter of a listener",
        bad=bad_listener(
            filter_chains=[
                {"filters": [{"name": "envoy.nope", "typed_config": unknown("no.Such")}]}
            ]
        ),
        text="Error adding/updating listener(s) lx: "
        "Didn't find a registered implementation for 'envoy.nope'",
    ),
    Row(
        name="duplicate filter chain",
        bad=same_chain_twice,
        text="Error adding/updating listener(s) lx: …has the same matching rules defined as",
    ),
]


def cases(rows):
    return [
        pytest.param(row, protocol, id=f"{row}-{protocol}")
        for row in rows
        for protocol in row.protocols
    ]


@pytest.fixture(scope="module", autouse=True)
def taken():
    """Keep an address that nobody else can have."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        TAKEN.append(server.getsockname()[1])
        yield
        TAKEN.clear()


@contextmanager
def refused(row, protocol, folder, old=(), new=()):
    """Serve a scene, and change it, the guilty resource too; more beside it from old to new."""
    bad = row.bad()
    with (
        SCENES[bad.type_url]() as scene,
        Ads(snapshot(*scene.base, *old)) as ads,
        RealEnvoy(folder / "envoy", protocol, ads.port) as envoy,
    ):
        ads.wait_until_settled()
        wait_until(lambda: scene.seen() == scene.before, f"{scene.before}")
        ads.publish(snapshot(*scene.base, *old, *scene.others, bad, *new))
        yield scene, ads, envoy, bad


@pytest.mark.parametrize(("row", "protocol"), cases([row for row in ROWS if row.text is None]))
def test_accepted(row, protocol, tmp_path):
    """What looks wrong, and is accepted."""
    with refused(row, protocol, tmp_path) as (_, ads, envoy, bad):
        ads.wait_until_settled()

        assert bad.body == ads.wire.accepted[bad.type_url][bad.name]
        assert envoy.rejected() == {}


@pytest.mark.parametrize(("row", "protocol"), cases([row for row in ROWS if row.text]))
def test_rules_24_and_109_refused(row, protocol, tmp_path):
    """
    What is refused is sent once; the rest of its update is served; a better version is accepted.

    If Envoy does not say who is at fault, the suspects are sent once more, to find that out.
    """
    with refused(row, protocol, tmp_path) as (scene, ads, envoy, bad):
        wait_until(ads.wire.refusals, "the NACK")
        wait_until(lambda: scene.seen() == scene.after, f"{scene.after}", SOON)
        wait_until(lambda: quiet(ads), "silence")
        refusals = ads.wire.refusals()

        assert all(part in refusals[0] for part in row.text.split("…"))
        assert (1 if row.named else 2) == ads.wire.times_sent(bad.type_url, bad.name, bad.body)
        assert len(refusals) == ads.wire.times_sent(bad.type_url, bad.name, bad.body)
        assert [bad.name] == ads.blame.names
        assert envoy.ready()

        ads.publish(snapshot(*scene.base, *scene.others, scene.later, scene.fixed))
        wait_until(lambda: scene.seen() == scene.last, f"{scene.last}")
        ads.wait_until_settled()

        assert len(refusals) == len(ads.wire.refusals())


UNDERSTOOD = ("regex", "address that is none", "negative timeout", "address that is taken")
"""One row for each way in which a refusal is understood."""

each_way = pytest.mark.parametrize(
    ("row", "protocol"), cases([row for row in ROWS if row.name in UNDERSTOOD])
)


@each_way
def test_rules_24_and_109_later_updates(row, protocol, tmp_path):
    """While the refusal lasts, later updates are served, and what was refused is not in them."""
    with refused(row, protocol, tmp_path) as (scene, ads, _, bad):
        wait_until(ads.wire.refusals, "the NACK")
        wait_until(lambda: quiet(ads), "silence")
        refusals = len(ads.wire.refusals())

        ads.publish(snapshot(*scene.base, *scene.others, bad, scene.later))
        name = scene.later.name
        wait_until(lambda: scene.seen()[name] == scene.last[name], "the later update", SOON)
        wait_until(lambda: quiet(ads), "silence")

        assert scene.after | {name: scene.last[name]} == scene.seen()
        assert refusals == len(ads.wire.refusals())


@each_way
def test_rule_109_new_route_to_a_new_cluster(row, protocol, tmp_path):
    """Routes are changed at once, also to a cluster that is new in the update that is refused."""
    port = free_port()
    with Backend.bind(Address("127.0.0.1", 0), "new") as backend:
        old = [listener("l-new", port, "r-new"), routes("r-new", virtual_host(says("old")))]
        new = [static("new", backend.address.port), one_route("r-new", "new")]
        with refused(row, protocol, tmp_path, old, new) as (_, ads, _, _):
            wait_until(ads.wire.refusals, "the NACK")
            wait_until(lambda: fetch(port, "/").body == "new", "an answer", SOON)


def quiet(ads):
    return ads.wire.messages[-1].at < time.perf_counter() - QUIET

from __future__ import annotations

import pytest
from lower_world import World, document, upstream

from translator.ir import (
    DnsHosts,
    Endpoint,
    EndpointDiscovery,
    FallbackPolicy,
    Pipe,
    StaticHosts,
    Subsets,
    SubsetSelector,
)

SERVICE = document("Service", "t/s", "spec: {ports: [{name: http, port: 80}, {port: 81}]}")


def static(*hosts, subsets=""):
    return upstream("t/u", f"static: {{hosts: [{', '.join(hosts)}] {subsets}}}")


def kube(rest="", port=80, service="s"):
    return upstream("t/u", f"kube: {{serviceName: {service}, servicePort: {port} {rest}}}")


def pod(name, ip, labels):
    return document("Pod", f"t/{name}", f"status: {{podIP: {ip}}}", labels=labels)


def slices(*endpoints, name="s1", ports="[{name: http, port: 8080}]", kind="IPv4"):
    return document(
        "EndpointSlice",
        f"t/{name}",
        f"addressType: {kind}\nendpoints: [{', '.join(endpoints)}]\nports: {ports}",
        labels="{kubernetes.io/service-name: s}",
    )


def cluster(world):
    (proxy,) = world.lowered.proxies
    (made,) = proxy.clusters
    return made


def endpoints(world):
    (proxy,) = world.lowered.proxies
    (assignment,) = proxy.load_assignments
    assert "u_t" == assignment.cluster
    return [(it.address, it.port, dict(it.labels)) for it in assignment.endpoints]


@pytest.mark.parametrize(
    ("hosts", "discovery"),
    [
        (
            ["{addr: 10.0.0.2, port: 2}", "{addr: 10.0.0.1, port: 1}", "{addr: 10.0.0.2, port: 2}"],
            StaticHosts(
                endpoints=(
                    Endpoint(address="10.0.0.1", port=1),
                    Endpoint(address="10.0.0.2", port=2),
                )
            ),
        ),
        (
            ["{addr: '0:0::1', port: 1, loadBalancingWeight: 3}", "{addr: '::1', port: 1}"],
            StaticHosts(
                endpoints=(
                    Endpoint(address="::1", port=1),
                    Endpoint(address="::1", port=1, weight=3),
                )
            ),
        ),
        (
            ["{addr: 10.0.0.1, port: 1}", "{addr: a_b.example.com, port: 1}"],
            DnsHosts(
                endpoints=(
                    Endpoint(address="10.0.0.1", port=1),
                    Endpoint(address="a_b.example.com", port=1),
                )
            ),
        ),
    ],
)
def test_static(hosts, discovery):
    """Hosts are sorted and distinct; one name among them makes Envoy resolve."""
    world = World(static(*hosts))

    assert discovery == cluster(world).discovery
    assert [] == world.codes


@pytest.mark.parametrize(
    ("upstreams", "code", "place"),
    [
        (static(), "PEN415", "[]"),
        (static("{addr: 10.0.0.999, port: 1}"), "PEN415", "10.0.0.999"),
        (static("{addr: a b, port: 1}"), "PEN415", "a b"),
        (static("{addr: 'fe80::1%eth0', port: 1}"), "PEN415", "'fe80::1%eth0'"),
        (static("{addr: -a.b, port: 1}"), "PEN415", "-a.b"),
        (static("{addr: a, port: 1, metadata: {envoy.lc: {a: b}}}"), "PEN205", "envoy.lc"),
        (upstream("t/u", f"pipe: {{path: /{'x' * 107}}}"), "PEN415", "/" + "x" * 107),
        (
            static(
                "{addr: a, port: 1}",
                subsets=", subsetSpec: {selectors: [{keys: [a]}], fallbackPolicy: DEFAULT_SUBSET}",
            ),
            "PEN204",
            "DEFAULT_SUBSET",
        ),
        (kube(), "PEN312", "s"),
    ],
)
def test_mistakes(upstreams, code, place):
    """A mistake makes the upstream invalid: it has no cluster."""
    world = World(upstreams)

    assert [(code, "t/u", place)] == world.found
    assert () == world.lowered.proxies[0].clusters


def test_pipe():
    """A pipe is a Unix socket."""
    assert Pipe(path="@x") == cluster(World(upstream("t/u", 'pipe: {path: "@x"}'))).discovery


def test_subsets():
    """Selectors and their keys are sorted and distinct; each host has every key."""
    hosts = "{addr: 10.0.0.1, port: 1, metadata: {envoy.lb: {b: x, other: y}}}"
    selectors = "[{keys: [b, a, b]}, {keys: [a], singleHostPerSubset: true}, {keys: [a, b]}]"
    made = cluster(World(static(hosts, subsets=f", subsetSpec: {{selectors: {selectors}}}")))

    assert (
        Subsets(
            selectors=(
                SubsetSelector(keys=("a",), single_host_per_subset=True),
                SubsetSelector(keys=("a", "b")),
            ),
            fallback=FallbackPolicy.ANY_ENDPOINT,
        )
        == made.subsets
    )
    assert (("a", ""), ("b", "x"), ("other", "y")) == made.discovery.endpoints[0].labels


def test_slices():
    """Endpoints are the ready addresses of all slices, with the labels of their Pods."""
    world = World(
        kube(", subsetSpec: {selectors: [{keys: [version]}]}"),
        SERVICE,
        slices(
            "{addresses: [10.0.0.2, 10.0.0.9], targetRef: {kind: Pod, name: b}}",
            "{addresses: [10.0.0.1], conditions: {ready: true}}",
            "{addresses: [10.0.0.3], conditions: {ready: false}}",
            "{addresses: [10.0.0.4]}",
        ),
        slices("{addresses: [10.0.0.2], targetRef: {kind: Pod, name: b}}", name="s2"),
        slices("{addresses: ['fd00::0:1']}", name="s3", kind="IPv6"),
        slices("{addresses: [a.example]}", name="s4", kind="FQDN"),
        slices("{addresses: [10.0.0.7]}", name="s5", ports="[{name: other, port: 1}]"),
        document("Endpoints", "t/s", "subsets: [{addresses: [{ip: 10.0.0.8}]}]"),
        pod("a", "10.0.0.1", "{version: v1, app: x}"),
        pod("b", "10.0.0.2", "{version: v2}"),
    )

    assert [
        ("10.0.0.1", 8080, {"version": "v1", "app": "x"}),
        ("10.0.0.2", 8080, {"version": "v2"}),
        ("10.0.0.4", 8080, {"version": ""}),
        ("fd00::1", 8080, {"version": ""}),
    ] == endpoints(world)
    assert EndpointDiscovery() == cluster(world).discovery
    assert [] == world.codes


def test_endpoints():
    """Without a slice, the Endpoints object of the same name counts; a nameless port is any."""
    world = World(
        kube(),
        SERVICE,
        document(
            "Endpoints",
            "t/s",
            "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 8080}]},"
            " {addresses: [{ip: 10.0.0.2}], ports: [{name: http, port: 1}, {name: x, port: 2}]},"
            " {addresses: [{ip: 10.0.0.3}], ports: [{name: x, port: 2}]}]",
        ),
    )

    assert [("10.0.0.1", 8080, {}), ("10.0.0.2", 1, {})] == endpoints(world)


def test_selector():
    """A selector restricts the endpoints to Pods with its labels."""
    world = World(
        kube(", selector: {version: v2}"),
        SERVICE,
        slices(*(f"{{addresses: [10.0.0.{n}]}}" for n in range(1, 4))),
        pod("a", "10.0.0.1", "{version: v1}"),
        pod("b", "10.0.0.2", "{version: v2}"),
    )

    assert ["10.0.0.2"] == [address for address, _, _ in endpoints(world)]


def test_no_endpoints():
    """A Service without endpoints is fine."""
    world = World(kube(), SERVICE)

    assert [] == endpoints(world)
    assert [] == world.codes


@pytest.mark.parametrize(
    ("upstreams", "place", "hint"),
    [
        (kube(service="ss"), "ss", "did you mean 's'?"),
        (kube(", serviceNamespace: v"), "s", "there is one of this name in namespace 't'"),
        (kube(port=443), "443", "its ports: 80, 81"),
    ],
)
def test_unknown_service(upstreams, place, hint):
    """A Service or port that does not exist is reported at its name, with what there is."""
    world = World(upstreams, SERVICE)

    assert [("PEN312", "t/u", place)] == world.found
    assert hint == world.diagnostic("PEN312").help


@pytest.mark.parametrize(
    "document",
    [
        slices("{addresses: [10.0.0.1]}", "{addresses: [nowhere]}", '{addresses: [""]}'),
        document(
            "Endpoints",
            "t/s",
            "subsets: [{addresses: [{ip: 10.0.0.1}, {ip: nowhere}, {ip: ''}], "
            "ports: [{name: http, port: 8080}]}]",
        ),
    ],
    ids=["slice", "endpoints"],
)
def test_an_address_that_is_none_is_left_out(document):
    """Envoy would refuse it together with the endpoints of everybody else."""
    world = World(kube(), SERVICE, document)

    assert [("10.0.0.1", 8080, {})] == endpoints(world)
    assert ["PEN415", "PEN415"] == [found.code for found in world.diagnostics]
    assert ["'' is not an IP address", "'nowhere' is not an IP address"] == sorted(
        found.message for found in world.diagnostics
    )


def test_a_pod_of_another_namespace_gives_no_labels():
    """A Pod with the address of another namespace's Pod takes nothing away from that."""
    stranger = document("Pod", "a/a", "status: {podIP: 10.0.0.1}", labels="{version: v2}")
    own = pod("p", "10.0.0.1", "{version: v1}")
    world = World(kube(), SERVICE, slices("{addresses: [10.0.0.1]}"), own, stranger)

    assert [("10.0.0.1", 8080, {"version": "v1"})] == endpoints(world)

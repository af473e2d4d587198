from __future__ import annotations

import pytest
from lower_world import World, document, gateway, route, virtual_service


def domains(world):
    return {host.source.name: list(host.domains) for host in world.hosts}


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ("[]", ["*"]),
        ('[""]', ["*"]),
        ('["*"]', ["*"]),
        ("[B.example.com, a.example.com]", ["a.example.com", "b.example.com"]),
        ('["*.example.com", "app.*", "*-x.example.com"]', None),
        ('["example.com:8080", "[::1]:80"]', None),
    ],
)
def test_domains(written, served):
    """No domain is all domains; the others are Envoy's, in any case."""
    world = World(virtual_service(route(), domains=written))

    assert [] == world.codes
    (actual,) = domains(world).values()
    assert served is None or served == actual


@pytest.mark.parametrize(
    "domain", ["a.*.b", "*.a.*", "**", "a b", "a/b", "http://a", "", "ä.example"]
)
def test_bad_domain(domain):
    """A domain that Envoy refuses costs itself only."""
    world = World(virtual_service(route(), domains=f'[ok.example, "{domain}"]'))

    assert [("PEN408", "ops/app", f'"{domain}"')] == world.found
    assert {"app": ["ok.example"]} == domains(world)


def test_only_bad_domains():
    """A virtual service without any domain left is not served."""
    world = World(virtual_service(route(), domains='["a b"]'))

    assert {} == domains(world)


def test_duplicate_domain():
    """A domain that stands twice is reported where it stands again."""
    world = World(virtual_service(route(), domains="[a.b, c.d, A.b]"))

    assert [("PEN407", "ops/app", "A.b")] == world.found
    assert {"app": ["a.b", "c.d"]} == domains(world)


@pytest.mark.parametrize(
    ("created", "winner"),
    [
        (("", ""), "a"),
        (("2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z"), "b"),
        (("", "2023-01-01T00:00:00Z"), "b"),
        (("2023-01-01T00:00:00Z", "2023-01-01T00:00:00Z"), "a"),
    ],
)
def test_domain_conflict(created, winner):
    """The oldest owner keeps a domain, by name among equals; the other loses just that one."""
    world = World(
        *(
            virtual_service(route(), name=f"ops/{name}", domains=f"[x.y, {name}.y]", created=date)
            for name, date in zip("ab", created, strict=True)
        )
    )

    loser = {"a": "b", "b": "a"}[winner]
    assert [("PEN407", f"ops/{loser}", "x.y")] == world.found
    assert {winner: [f"{winner}.y", "x.y"], loser: [f"{loser}.y"]} == domains(world)
    assert winner in world.diagnostic("PEN407").message
    assert ["first here"] == [label for label, _ in world.diagnostic("PEN407").related]


def test_conflict_on_two_gateways():
    """A conflict is one mistake on however many gateways it shows."""
    world = World(
        virtual_service(route(), name="ops/a"),
        virtual_service(route(), name="ops/b"),
        gateway("ops/one", "httpGateway: {}, bindPort: 1"),
        gateway("ops/two", "httpGateway: {}, bindPort: 2"),
    )

    assert ["PEN407"] == world.codes


def test_no_conflict_across_gateways():
    """One domain may have an owner on each gateway."""
    world = World(
        virtual_service(route(), name="ops/a"),
        virtual_service(route(), name="ops/b"),
        gateway("ops/one", "httpGateway: {virtualServices: [{name: a}]}, bindPort: 1"),
        gateway("ops/two", "httpGateway: {virtualServices: [{name: b}]}, bindPort: 2"),
    )

    assert [] == world.codes
    assert 2 == len(world.hosts)


def test_no_virtual_host():
    """A virtual service without a virtual host is a mistake, and serves nothing."""
    world = World(document("VirtualService", "ops/app", "spec: {displayName: x}"))

    assert ["PEN204"] == world.codes
    assert [] == world.hosts


def test_names():
    """Virtual hosts are named by their virtual service and sorted by name."""
    world = World(
        *(virtual_service(route(), name=f"ops/{name}", domains=f"[{name}]") for name in "ba")
    )

    assert ["ops_a", "ops_b"] == [host.name for host in world.hosts]

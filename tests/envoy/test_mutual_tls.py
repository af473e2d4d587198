"""A real Envoy that proves who it is, one that cannot, and certificates that change."""

from __future__ import annotations

import pytest
from support import Client, ControlPlane, RealEnvoy, free_port, wait_until
from support.certificates import Authority, Pair, Secret

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

ALLOW = "spiffe://cluster.local/ns/edge/sa/* = gateway-proxy"
EDGE = "spiffe://cluster.local/ns/edge/sa/envoy"
ALL = ("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")


class Actors:
    """An authority, the secret of the control plane, and those of Envoys."""

    def __init__(self, stage):
        self.stage = stage
        self.authority = Authority()
        self.server = Secret(stage.folder / "server-tls")
        self.server.swap(self.authority.server("penstock"), self.authority.cert)

    def control_plane(self):
        options = (
            *("--ads-tls-cert", self.server.cert),
            *("--ads-tls-key", self.server.key),
            *("--ads-tls-client-ca", self.server.ca),
            *("--ads-allow", ALLOW),
        )
        folder = self.stage.folder / "penstock"
        return ControlPlane(self.stage.config, folder, free_port(), options=options)

    def envoy(self, penstock, protocol, name, uri=EDGE, *, authority=None, trusts=None):
        secret = Secret(self.stage.folder / f"{name}-tls")
        pair = (authority or self.authority).issue(uris=[uri])
        secret.swap(pair, (trusts or self.authority).cert)
        folder = self.stage.folder / name
        return RealEnvoy(folder, protocol, penstock.ads_port, name, secret.folder), secret


@pytest.fixture
def actors(stage):
    stage.save_shipped()
    return Actors(stage)


def connections(penstock):
    """Return the Envoys that are connected, by name, with who they are by their certificate."""
    status = penstock.get("/api/v1/status")
    return {
        envoy["node"]: envoy["identity"] for proxy in status["proxies"] for envoy in proxy["envoys"]
    }


def attempts(envoy):
    """Count the connections that an Envoy has tried to open to its control plane."""
    return envoy.stats("cluster.penstock.upstream_cx_total")["cluster.penstock.upstream_cx_total"]


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_only_who_may_gets_anything(actors, protocol):
    """
    An Envoy with the right certificate routes; with another name or authority it gets nothing.

    Whether a stranger is told no or is not even connected, it has no cluster, listener or route.
    """
    with actors.control_plane() as penstock:
        friend, _ = actors.envoy(penstock, protocol, "friend")
        stranger, _ = actors.envoy(
            penstock, protocol, "stranger", "spiffe://cluster.local/ns/lab/x"
        )
        forger, _ = actors.envoy(penstock, protocol, "forger", authority=Authority("other"))
        with friend, stranger, forger:
            actors.stage.wait_for(*ALL)
            denied = wait_until(lambda: penstock.events("stream_denied"), "a denial")
            wait_until(lambda: attempts(forger) > 2, "attempts to connect in vain")

            assert {"friend": EDGE} == connections(penstock)
            assert {("stranger", "spiffe://cluster.local/ns/lab/x", "stranger")} == {
                (event["node"], event["identity"], event["reason"]) for event in denied
            }
            assert {} == stranger.versions() == forger.versions()
            for envoy in (stranger, forger):
                assert {0} == set(envoy.stats("[cl]ds.update_success").values())
            assert 4 == len(friend.versions())
            assert friend.ready()


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_the_server_gets_another_certificate(actors, protocol):
    """
    A new certificate is what new Envoys see, while connected ones stay on their stream.

    A half of the pair alone changes nothing. Both Envoys follow the next edit, and no request
    notices anything.
    """
    stage, other = actors.stage, Authority("other")
    with actors.control_plane() as penstock:
        old, _ = actors.envoy(penstock, protocol, "old")
        with old:
            stage.wait_for(*ALL)
            with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
                renewed = other.server("penstock")
                half = Pair(renewed.cert, actors.authority.server("penstock").key)
                actors.server.swap(half, actors.authority.cert)
                wait_until(lambda: penstock.events("certificates_broken"), "the log of half a pair")
                new, _ = actors.envoy(penstock, protocol, "new", trusts=other)
                with new:
                    wait_until(lambda: attempts(new) > 0, "an attempt to connect")
                    assert {"old": EDGE} == connections(penstock)

                    mark = client.total
                    actors.server.swap(renewed, actors.authority.cert)
                    wait_until(lambda: len(new.versions()) == 4, "the new Envoy to be configured")
                    assert {"old": EDGE, "new": EDGE} == connections(penstock)
                    with old.taking_update(), new.taking_update():
                        text = (stage.config / "foxtrot" / "routes.yaml").read_text()
                        stage.save(
                            "foxtrot/routes.yaml", text.replace("version: v1", "version: v2")
                        )
                    assert old.versions() == new.versions()
                    assert 1 == attempts(old)
                    wait_until(lambda: client.total > mark + 100, "requests")

        assert {} == client.failures
        assert [True] == [event["changed"] for event in penstock.events("certificates_reloaded")]
        assert 1 == len(penstock.events("certificates_broken"))


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_envoy_gets_another_certificate(actors, protocol):
    """A new certificate of Envoy, and a new authority to trust, count from its next connection."""
    other = Authority("other")
    with actors.control_plane() as penstock:
        envoy, secret = actors.envoy(penstock, protocol, "envoy")
        with envoy:
            actors.stage.wait_for(*ALL)
            before = sds_updates(envoy)
            uri = "spiffe://cluster.local/ns/edge/sa/renewed"
            secret.swap(actors.authority.issue(uris=[uri]), other.cert)
            wait_until(lambda: sds_updates(envoy) >= before + 2, "new certificates in Envoy")
            assert {"envoy": EDGE} == connections(penstock)

            actors.server.swap(other.server("penstock"), actors.authority.cert)
            penstock.end()
            penstock.start()
            wait_until(lambda: connections(penstock) == {"envoy": uri}, "another connection")
            assert ALL == actors.stage.answers()


def sds_updates(envoy):
    """Count how often an Envoy has taken certificates for its control plane from files."""
    name = "cluster.penstock.client_ssl_socket_factory.ssl_context_update_by_sds"
    return envoy.stats(name)[name]

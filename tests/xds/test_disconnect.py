"""The end of a connection whose client does not read, on plain sockets."""

import socket
from contextlib import closing

import pytest

from xds.connection import disconnect


def listener(host):
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, 0), family=kind, dualstack_ipv6=host == "::")
    except OSError as error:
        if kind == socket.AF_INET:
            raise
        pytest.skip(f"no IPv6 here: {error}")


def connected(listening, family, host):
    port = listening.getsockname()[1]
    client = socket.socket(family)
    client.settimeout(5)
    client.connect((host, port))
    accepted, _ = listening.accept()
    return client, accepted


@pytest.mark.parametrize(
    ("listen", "family", "host", "form"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1", "ipv4:127.0.0.1:{}"),
        ("::1", socket.AF_INET6, "::1", "ipv6:[::1]:{}"),
        ("::1", socket.AF_INET6, "::1", "ipv6:%5B::1%5D:{}"),
        ("::", socket.AF_INET, "127.0.0.1", "ipv4:127.0.0.1:{}"),
    ],
)
def test_rule_114_one_connection_is_ended(listen, family, host, form):
    """Both ends learn that the connection is over; others to the same port go on."""
    with closing(listener(listen)) as listening:
        client, accepted = connected(listening, family, host)
        other, another = connected(listening, family, host)
        with client, accepted, other, another:
            peer = form.format(client.getsockname()[1])

            assert disconnect(peer, listening.getsockname()[1])
            assert b"" == client.recv(1)
            assert b"" == accepted.recv(1)
            another.sendall(b"x")
            assert b"x" == other.recv(1)


@pytest.mark.parametrize("peer", ["unix:", "unix:/run/ads", "ipv4:127.0.0.1", "", "ipv4:x:y"])
def test_rule_114_what_is_no_connection(peer):
    """Where there is no connection by that name, nothing is ended, and that is said."""
    assert not disconnect(peer, 18000)


def test_rule_114_somebody_else_s_port():
    """A connection that we did not accept on our port is none of ours."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client, accepted = connected(listening, socket.AF_INET, "127.0.0.1")
        with client, accepted:
            assert not disconnect(
                f"ipv4:127.0.0.1:{client.getsockname()[1]}", listening.getsockname()[1] + 1
            )


def test_rule_114_where_descriptors_are_not_told(monkeypatch, tmp_path):
    """On a system that does not list the open files, no connection is found."""
    monkeypatch.setattr("xds.connection._DESCRIPTORS", tmp_path / "none")

    assert not disconnect("ipv4:127.0.0.1:4711", 18000)

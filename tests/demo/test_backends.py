from __future__ import annotations

import http.client

import pytest
from support import Answer, fetch

from penstock.address import Address
from penstock.demo_backends import Backend, Backends

ANY = Address("127.0.0.1", 0)


def test_backend_answers_with_its_name():
    """Whoever asks learns who answered."""
    with Backend.bind(ANY, "echo v1") as backend:
        answer = fetch(backend.address.port, "/anything")

    assert answer == Answer(200, "echo v1")


def test_backend_that_ends_leaves_its_connections():
    """A proxy that keeps a connection open must not get answers from a backend that is gone."""
    with Backend.bind(ANY, "echo v1") as backend:
        connection = http.client.HTTPConnection("127.0.0.1", backend.address.port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask_again(connection)
    connection.close()


def test_host_that_gets_another_label_answers_with_it():
    """The name follows the configuration while the demo runs."""
    with Backend.bind(ANY, "taken") as other, Backends() as backends:
        with Backend.bind(ANY, "probe") as probe:
            address = probe.address
        backends.answer({address: "echo v1"})
        complaints = backends.answer({address: "echo v2", other.address: "echo v3"})

        answer = fetch(address.port, "/")

    assert answer == Answer(200, "echo v2")
    assert complaints == (
        f"no backend on {other.address}: address already in use; choose another port",
    )


def ask_again(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    connection.getresponse()

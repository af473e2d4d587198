from __future__ import annotations

import os
import socket
import sys

import pytest

from penstock.address import Address
from penstock.demo_ports import Need, complaints


def need(port: int, host: str = "127.0.0.1") -> Need:
    return Need(address=Address(host, port), user="Envoy", remedy="say --port")


def test_a_free_port_is_no_complaint():
    """What can be had is had."""
    assert complaints([need(0)]) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a port")
def test_a_taken_port_names_who_has_it():
    """The complaint says which port, who has it, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        (complaint,) = complaints([need(port)])

    assert complaint.startswith(f"Envoy cannot listen on 127.0.0.1:{port}: ")
    assert complaint.endswith(f"(process {os.getpid()}) has it; say --port")


def test_an_address_of_another_machine_is_a_complaint():
    """Whatever else is in the way is told in the system's words."""
    (complaint,) = complaints([need(80, "192.0.2.1")])

    assert complaint == (
        "Envoy cannot listen on 192.0.2.1:80: cannot assign requested address; say --port"
    )


def test_a_connection_that_has_ended_does_not_take_the_port():
    """The demo can be started again at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()

    assert complaints([need(port)]) == ()

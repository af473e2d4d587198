from __future__ import annotations

import socket

import pytest

from penstock.address import Address
from penstock.errors import ListenError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:18000", "127.0.0.1", 18000),
        ("localhost:0", "localhost", 0),
        ("[::1]:18000", "::1", 18000),
        ("penstock.example:65535", "penstock.example", 65535),
    ],
)
def test_an_address_is_read_and_written(text, host, port):
    """An address is written the way it is read."""
    address = Address.parse(text)

    assert Address(host, port) == address
    assert text == str(address)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("18000", "is not HOST:PORT"),
        (":18000", "is not HOST:PORT"),
        ("127.0.0.1", "is not HOST:PORT"),
        ("::1:18000", "is not HOST:PORT; an IPv6 address needs brackets"),
        ("127.0.0.1:", "is not a port"),
        ("127.0.0.1:http", "is not a port"),
        ("127.0.0.1:-1", "is not a port"),
        ("127.0.0.1:65536", "is not a port"),
        ("127.0.0.1:\uff11", "is not a port"),
    ],
)
def test_what_is_no_address_is_refused(text, complaint):
    """A mistyped address is refused with what it should look like."""
    with pytest.raises(ValueError, match=complaint):
        Address.parse(text)


def test_a_taken_port_names_the_option():
    """Whoever reads that a port is taken also reads which option chooses another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenError) as caught:
            address.listen("--admin")

    assert f"cannot listen on {address}: address already in use; see --admin" == str(caught.value)


def test_an_address_of_another_machine_is_refused():
    """An address that this machine does not have is told like a taken one."""
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:1.*see --ads"):
        Address("192.0.2.1", 1).listen("--ads")

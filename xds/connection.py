"""The end of a connection whose client does not read."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTORS: Final = Path("/dev/fd")
_OF_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def disconnect(peer: str, port: int) -> bool:
    """
    Shut a connection of this process down, and tell whether there was one.

    grpc.aio has no means to end a call while a write is under way. Measured on grpcio 1.85: with
    a client that does not read, `abort` waits for the write, and neither cancelling the write nor
    the handler sends anything, so that the client believes in its stream for ever. When the
    connection is shut down under gRPC, both sides are told at once, and everything is freed.

    All streams of the connection end with it. An Envoy has one connection for all its streams,
    and opens another.

    Args:
        peer: The client's address as gRPC writes it: `ipv4:127.0.0.1:4711`, `ipv6:[::1]:4711`.
        port: The port that we listen on.
    """
    kind, _, address = unquote(peer).partition(":")
    host, _, number = address.rpartition(":")
    if kind not in {"ipv4", "ipv6"} or not number.isdecimal():
        return False
    remote = host.strip("[]").partition("%")[0], int(number)
    for connection in _connections():
        with connection, suppress(OSError):
            if _end(connection.getsockname())[1] == port and _same(
                _end(connection.getpeername()), remote
            ):
                connection.shutdown(socket.SHUT_RDWR)
                return True
    return False


def _connections() -> Iterator[socket.socket]:
    """Yield a handle of our own on each socket of the process; whoever takes it closes it."""
    try:
        entries = tuple(_DESCRIPTORS.iterdir())
    except OSError:
        return  # a system without this folder, such as one without /proc
    for entry in entries:
        try:
            # What is a copy of ours cannot become another file between a look and an act.
            copy = os.dup(int(entry.name))
        except OSError:
            continue
        try:
            connection = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            continue
        if connection.family in _OF_INTERNET:
            yield connection
        else:
            connection.close()


def _end(address: tuple[object, ...]) -> tuple[str, int]:
    host, port, *_ = address
    return str(host).partition("%")[0], int(str(port))


def _same(end: tuple[str, int], other: tuple[str, int]) -> bool:
    """Compare addresses; one of IPv4 may be written as one of IPv6."""
    return end[1] == other[1] and end[0].removeprefix("::ffff:") == other[0].removeprefix("::ffff:")

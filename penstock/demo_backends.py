"""
The services behind the demo's routes: tiny HTTP servers that answer with their own name.

Run `python -m penstock.demo_backends 127.0.0.1:9101=echo-v1 …` for some of them in one process,
as the containers of `docker-compose.yml` do.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from penstock.address import Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["Backend", "Backends", "main"]


@dataclass(frozen=True, slots=True)
class Backend:
    """
    A server that answers every GET with one line, its name; a context manager.

    The port 0 leaves the choice to the system; `address` says what it became.
    """

    server: ThreadingHTTPServer
    connections: set[socket.socket]
    """Those that are open; Envoy would go on using them."""

    @classmethod
    def bind(cls, address: Address, name: str) -> Self:
        """
        Take an address.

        Raises:
            OSError: If it is taken, or not ours.
        """
        kind = _Server6 if ":" in address.host else _Server
        connections: set[socket.socket] = set()
        handler = _answering(f"{name}\n".encode(), connections)
        return cls(kind((address.host, address.port), handler), connections)

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self.server.server_address[:2]
        return Address(str(host), port)

    def __enter__(self) -> Self:
        # The interval is how long `shutdown` may take; the requests have threads of their own.
        serve = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        serve.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        for connection in tuple(self.connections):
            # It may just have ended by itself.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Backends:
    """Backends by their address; a context manager that ends them all."""

    def __init__(self) -> None:
        self._running: dict[Address, tuple[str, Backend]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            backend = self._running.popitem()[1][1]
            backend.__exit__(None, None, None)

    def answer(self, names: Mapping[Address, str]) -> tuple[str, ...]:
        """
        Start what is missing, and let what runs answer with its name.

        What is not asked for any more goes on, for Envoy may still be using it.

        Returns:
            A complaint for each address that cannot be had.
        """
        complaints = []
        for address, name in names.items():
            known, backend = self._running.get(address, ("", None))
            if known == name:
                continue
            if backend is not None:
                del self._running[address]
                backend.__exit__(None, None, None)
            try:
                started = Backend.bind(address, name)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                complaints.append(f"no backend on {address}: {reason}; choose another port")
            else:
                self._running[address] = (name, started.__enter__())
        return tuple(complaints)


class _Server(ThreadingHTTPServer):
    # A connection that Envoy keeps open must not keep the program alive.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; anything else is a bug and shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on


class _Server6(_Server):
    address_family = socket.AF_INET6


def _answering(body: bytes, connections: set[socket.socket]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet per answer, sent at once: else Nagle's algorithm waits for the client's ACK.
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            connections.add(self.connection)

        def finish(self) -> None:
            connections.discard(self.connection)
            super().finish()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            """Keep quiet."""

    return Handler


def main(arguments: Sequence[str]) -> None:
    """Serve `host:port=name` for each argument until the process is told to end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        for argument in arguments:
            address, _, name = argument.partition("=")
            stack.enter_context(Backend.bind(Address.parse(address), name))
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])

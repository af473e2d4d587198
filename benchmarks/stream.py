"""A client that reads bytes as they come, and a relay that sees the first of them."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from benchmarks.clocks import Moment
from xds import messages
from xds.services import method
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "envoy.service.discovery.v3"
_PATIENCE = 600.0
"""Seconds. A large world on a busy machine takes its time, and that is what is measured."""
_FRAMES = 64
"""Bytes. What HTTP/2 says without data (pings, windows, settings) is shorter, a response longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A response, and when its last byte was there."""

    moment: Moment
    payload: bytes


class Stream:
    """
    One stream of a client that does nothing by itself; a context manager.

    It takes the time when a response is there, and parses nothing before it is asked to.

    Args:
        port: Where the server listens, on loopback.
        pid: The process whose CPU time is of interest.
        protocol: `delta` or `sotw`.
    """

    def __init__(self, port: int, pid: int, protocol: str = "delta") -> None:
        self._pid = pid
        self._prefix = "Delta" if protocol == "delta" else ""
        self._node: dict[str, str] | None = {"id": "benchmark"}
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[Received] = queue.SimpleQueue()
        options = (
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        )
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self._path = method("delta" if self._prefix else "sotw").path

    def __enter__(self):
        self._call = self._channel.stream_stream(self._path)(self._written(), wait_for_ready=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()
        self._reader.join(5)

    def _written(self) -> Iterator[bytes]:
        while (payload := self._requests.get()) is not None:
            yield payload

    def _read(self) -> None:
        with suppress(grpc.RpcError):
            for payload in self._call:
                self._responses.put(Received(moment=Moment.of(self._pid), payload=payload))

    def send(self, type_url: str, **fields) -> None:
        """Send a request."""
        if self._node is not None:
            fields["node"], self._node = self._node, None
        request = f"{_PACKAGE}.{self._prefix}DiscoveryRequest"
        self._requests.put(messages.encode(messages.build(request, type_url=type_url, **fields)))

    def subscribe(self, type_url: str, *names: str) -> None:
        """Ask for resources; state-of-the-world clients ask for no others from then on."""
        key = "resource_names_subscribe" if self._prefix else "resource_names"
        self.send(type_url, **{key: names})

    def receive(self, seconds: float = _PATIENCE) -> Received:
        """
        Return the next response.

        Raises:
            queue.Empty: None came in time.
        """
        return self._responses.get(timeout=seconds)

    def poll(self, seconds: float) -> Received | None:
        """Return the next response if there is one in time."""
        with suppress(queue.Empty):
            return self._responses.get(timeout=seconds)
        return None

    def accept(self, received: Received, *names: str) -> Any:
        """Send the acknowledgement of a response, and return the response as a message."""
        response: Any = messages.parse(
            f"{_PACKAGE}.{self._prefix}DiscoveryResponse", received.payload
        )
        fields: dict[str, object] = {"response_nonce": response.nonce}
        if not self._prefix:
            fields |= {"version_info": response.version_info, "resource_names": names}
        self.send(response.type_url, **fields)
        return response


def subscribe_like_envoy(stream: Stream) -> dict[str, dict[str, bytes]]:
    """
    Ask for everything in the order in which Envoy does, in the incremental protocol.

    Returns:
        By type and name what came, each a serialised `envoy.service.discovery.v3.Resource`.
    """
    found: dict[str, dict[str, bytes]] = {}

    def take(type_url: str, *names: str) -> None:
        stream.subscribe(type_url, *names)
        have = found.setdefault(type_url, {})
        while not have or not have.keys() >= set(names):
            response = stream.accept(stream.receive())
            found.setdefault(response.type_url, {}).update(
                {each.name: messages.encode(each) for each in response.resources}
            )

    take(CLUSTER)
    take(LOAD_ASSIGNMENT, *found[CLUSTER])
    take(LISTENER)
    take(ROUTE_CONFIGURATION, *(f"{name}-routes" for name in found[LISTENER]))
    return found


class Relay:
    """
    Stands between a client and a server, and notes when the server's next word comes.

    gRPC hands over whole messages only, so this is how to know of the first byte of one. A context
    manager for one connection.
    """

    def __init__(self, port: int, pid: int) -> None:
        self._server = port
        self._pid = pid
        self._waiting = threading.Event()
        self._moments: queue.SimpleQueue[Moment] = queue.SimpleQueue()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        """Where the client is to connect."""
        self._sockets: list[socket.socket] = []

    def __enter__(self):
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in (self._listening, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def arm(self) -> None:
        """Note the next word of the server."""
        self._waiting.set()

    def first(self, seconds: float = _PATIENCE) -> Moment:
        """
        Wait for what was noted.

        Raises:
            queue.Empty: The server said nothing.
        """
        return self._moments.get(timeout=seconds)

    def _run(self) -> None:
        with suppress(OSError):
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._server))
            self._sockets += [client, server]
            for each in self._sockets:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            self._pass_on(server, client, watched=True)

    def _pass_on(self, source: socket.socket, target: socket.socket, *, watched=False) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if watched and len(data) > _FRAMES and self._waiting.is_set():
                    self._waiting.clear()
                    self._moments.put(Moment.of(self._pid))
                target.sendall(data)

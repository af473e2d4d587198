"""A server for one Envoy that only sends bytes it was given, and waits for the answer."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc

from xds import messages
from xds.services import method
from xds.types import LISTENER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REQUEST = "envoy.service.discovery.v3.DeltaDiscoveryRequest"


class BareServer(grpc.GenericRpcHandler):
    """
    Answers each subscription with what it has of those names; a context manager.

    Args:
        resources: By type and name, each a serialised `envoy.service.discovery.v3.Resource`.
    """

    def __init__(self, resources: Mapping[str, Mapping[str, bytes]]) -> None:
        self._resources = resources
        self._responses: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[float, str, str]] = queue.SimpleQueue()
        self._nonces = 0
        self._server = grpc.server(
            ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)]
        )
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._responses.put(None)
        self._server.stop(0).wait(5)

    def service(self, details: Any) -> Any:
        if details.method != method("delta").path:
            return None
        return grpc.stream_stream_rpc_method_handler(self._talk)

    def push(self, type_url: str, resource: bytes, seconds: float = 600.0) -> float:
        """
        Send one resource, and return the seconds until its acknowledgement is there.

        Raises:
            AssertionError: It was refused.
            queue.Empty: Nothing was said.
        """
        payload, nonce = self._response(type_url, [resource])
        began = time.perf_counter()
        self._responses.put(payload)
        while True:
            at, answered, error = self._answers.get(timeout=seconds)
            assert not error, error
            if answered == nonce:
                return at - began

    def _talk(self, requests: Iterator[bytes], _: object) -> Iterator[bytes]:
        threading.Thread(target=self._listen, args=(requests,), daemon=True).start()
        while (payload := self._responses.get()) is not None:
            yield payload

    def _listen(self, requests: Iterator[bytes]) -> None:
        with suppress(grpc.RpcError):
            for payload in requests:
                self._take(time.perf_counter(), messages.parse(_REQUEST, payload))

    def _take(self, at: float, request: Any) -> None:
        if request.response_nonce:
            self._answers.put((at, request.response_nonce, request.error_detail.message))
        have = self._resources.get(request.type_url, {})
        names = request.resource_names_subscribe
        if not names and not request.response_nonce:
            names = tuple(have)  # a wildcard
        if names:
            found = [have[name] for name in names if name in have]
            self._responses.put(self._response(request.type_url, found)[0])

    def _response(self, type_url: str, resources: list[bytes]) -> tuple[bytes, str]:
        self._nonces += 1
        nonce = str(self._nonces)
        parts = (
            *(messages.field(2, resource) for resource in resources),
            messages.field(4, type_url.encode()),
            messages.field(5, nonce.encode()),
        )
        return b"".join(parts), nonce


def on_port(resource: bytes, port: int) -> bytes:
    """Move a listener in its `Resource` to another port."""
    outer: Any = messages.parse("envoy.service.discovery.v3.Resource", resource)
    listener: Any = messages.parse(LISTENER.rpartition("/")[2], outer.resource.value)
    listener.address.socket_address.port_value = port
    outer.resource.value = messages.encode(listener)
    return messages.encode(outer)

"""
A server that knows nothing: grpc.aio that writes given bytes to every stream.

It is what any management server in Python costs at least. It has the same options as ours, reads
all that clients say, and looks at nothing of it but the first requests.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from served_load import NAMES, allow_files, obey, snapshot

from xds import messages
from xds.services import method
from xds.types import ROUTE_CONFIGURATION

_REQUEST = "envoy.service.discovery.v3.DeltaDiscoveryRequest"


def response(number: int, size: int, type_url: str) -> bytes:
    """Make the response that our server would send with a snapshot of `served_load`."""
    resource = snapshot(number, size).resources(type_url)[NAMES[type_url]]
    return b"".join(
        (
            resource.delta_header,
            *resource.chunks,
            messages.field(1, resource.version.encode()),
            messages.field(4, type_url.encode()),
            messages.field(5, str(number + 1).encode()),
        )
    )


class Handler(grpc.GenericRpcHandler):
    """Serves both protocols, for it understands neither."""

    def __init__(self, first: dict[str, bytes]) -> None:
        self.streams: set[grpc.aio.ServicerContext[bytes, bytes]] = set()
        self._first = first
        self._paths = {method(protocol).path for protocol in ("sotw", "delta")}

    def service(self, details: Any) -> Any:
        if details.method not in self._paths:
            return None
        return grpc.stream_stream_rpc_method_handler(self._talk)

    async def _talk(self, _, context) -> None:
        self.streams.add(context)
        try:
            await self._listen(context)
        finally:
            self.streams.discard(context)

    async def _listen(self, context) -> None:
        """Answer the first request for each type, and read on."""
        waiting = dict(self._first)
        while isinstance(payload := await context.read(), bytes):
            if waiting:
                request: Any = messages.parse(_REQUEST, payload)
                answer = waiting.pop(request.type_url, None)
                if answer is not None:
                    await context.write(answer)


async def serve(pipe, size: int, limits) -> None:
    """Write what it is told to; without a size it says nothing by itself."""
    allow_files()
    handler = Handler({url: response(0, size, url) for url in NAMES} if size else {})
    server = grpc.aio.server(options=limits.channel_options())
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pipe.send(port)
    writing = set()

    def write(payload: bytes) -> None:
        task = asyncio.ensure_future(
            asyncio.gather(*(stream.write(payload) for stream in handler.streams))
        )
        writing.add(task)
        task.add_done_callback(writing.discard)

    def answer(*command):
        match command:
            case ("publish", number):
                write(response(number, size, ROUTE_CONFIGURATION))
                return None
            case ("write", payload):
                write(payload)
                return None
            case ("streams",):
                return len(handler.streams), 0

    await obey(pipe, answer)
    await server.stop(0)
    pipe.send(None)

"""
The gRPC server of the aggregated discovery service (ADS), in both protocols.

Messages pass through gRPC as bytes: responses are joined from parts that were encoded when the
snapshot was made.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Final, Literal

import grpc

from xds.csds import ClientStatus
from xds.discovery import control_plane
from xds.identity import Identity, anybody
from xds.observer import Observer, StreamInfo
from xds.session import Session, StreamEnd, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xds.cache import SnapshotCache
    from xds.discovery import Node
    from xds.identity import Authorizer
    from xds.observer import StreamStatus

_SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE
_INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
_DENIED: Final = grpc.StatusCode.PERMISSION_DENIED

_OPTIONS: Final = (
    # A state-of-the-world client repeats all names it wants in each request.
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # Dead clients would linger for two hours otherwise.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # By default gRPC takes Envoy's own keepalive for an attack and drops the connection.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_concurrent_streams", 100_000),
    # A second server on the same port is a mistake, not a replica.
    ("grpc.so_reuseport", 0),
)


class AdsServer:
    """
    Serves each client the snapshots of its proxy.

    All methods belong to the event loop in which the server was started.
    """

    def __init__(
        self,
        cache: SnapshotCache,
        *,
        proxy_of: Callable[[Node], str],
        observer: Observer | None = None,
        authorize: Authorizer = anybody,
        identifier: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Prepare a server.

        Args:
            cache: Where the snapshots are.
            proxy_of: Tells which proxy a client is. It need not have a snapshot: such a client is
                kept waiting in silence.
            observer: Is told what happens.
            authorize: Tells whether a client may ask for the proxy that it says it is.
            identifier: What clients are told they are served by.
            clock: Tells the time for deadlines, in seconds; never goes back.
            wall_clock: Tells the time for people, in seconds since 1970.
        """
        self._cache = cache
        self._proxy_of = proxy_of
        self._observer = observer or Observer()
        self._authorize = authorize
        self._control_plane = control_plane(identifier)
        self._clock = clock
        self._wall_clock = wall_clock
        self._ids = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._draining = False
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """
        Listen, and return the port.

        Args:
            address: `host:port`; port 0 lets the system choose.
            credentials: What the server proves itself with, and asks of clients; without, there is
                no TLS.

        Raises:
            OSError: The address cannot be listened on.
        """
        server = grpc.aio.server(options=_OPTIONS)
        handlers = {
            "StreamAggregatedResources": self._handler("sotw"),
            "DeltaAggregatedResources": self._handler("delta"),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        status = ClientStatus(self._sessions.values, authorize=self._authorize)
        server.add_generic_rpc_handlers((status.handler(),))
        try:
            port: int = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: it is taken or not ours") from error
        await server.start()
        self._server = server
        return port

    def streams(self) -> tuple[StreamStatus, ...]:
        """Return where each client stands, the oldest stream first."""
        return tuple(session.status() for session in self._sessions.values())

    def forgive(self) -> None:
        """Try once more what clients refused; for an operator who knows better."""
        for session in self._sessions.values():
            session.forgive()

    async def drain(self, seconds: float) -> None:
        """
        Send all clients away, spread over some time, and stop.

        Streams never end by themselves, so gRPC's own grace period would only be waited for. It
        is left to those who do not read what they are being sent, and is short.
        """
        self._draining = True
        sessions = tuple(self._sessions.values())
        for number, session in enumerate(sessions):
            if number:
                await asyncio.sleep(seconds / len(sessions))
            session.end(StreamEnd("the control plane is shutting down", _UNAVAILABLE))
        if self._server is not None:
            await self._server.stop(0.5)
            self._server = None

    def _handler(self, protocol: Literal["sotw", "delta"]) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def serve(
            _: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
        ) -> None:
            end = await self._serve(protocol, context)
            if end.code is grpc.StatusCode.CANCELLED:
                raise asyncio.CancelledError  # there is nobody left to send a status to
            if end.code is not grpc.StatusCode.OK:
                await context.abort(end.code, end.reason)

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _serve(
        self,
        protocol: Literal["sotw", "delta"],
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> StreamEnd:
        """Serve a stream to its end, and return why it ended."""
        try:
            self._admit()
            request, node = parse(protocol, await context.read())
            info = self._introduce(protocol, node, context)
            self._admit()
        except StreamEnd as refusal:
            self._observer.stream_refused(context.peer(), refusal.reason)
            return refusal
        denial = self._authorize(info.identity, info.proxy)
        if denial is not None:
            self._observer.stream_denied(info, denial)
            return StreamEnd(denial.text, _DENIED)
        session = Session(
            info,
            context,
            self._cache,
            observer=self._observer,
            control_plane=self._control_plane,
            clock=self._clock,
            wall_clock=self._wall_clock,
        )
        self._sessions[info.id] = session
        self._observer.stream_opened(info)
        try:
            return await session.run(request)
        finally:
            del self._sessions[info.id]

    def _admit(self) -> None:
        """Refuse a stream while there is nothing to be believed, or no future."""
        if self._draining:
            raise StreamEnd("the control plane is shutting down", _UNAVAILABLE)
        if not self._cache.synced:
            raise StreamEnd("the configuration has not been read yet", _UNAVAILABLE)

    def _introduce(
        self,
        protocol: Literal["sotw", "delta"],
        node: Node | None,
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> StreamInfo:
        """Take the node of the first request; later ones are not looked at (rules 1 to 3)."""
        if node is None or not node.id:
            raise StreamEnd("the first request has no node with an id", _INVALID)
        return StreamInfo(
            id=next(self._ids),
            node=node,
            proxy=self._proxy_of(node),
            protocol=protocol,
            peer=context.peer(),
            connected_at=self._wall_clock(),
            identity=Identity.of(context.auth_context()),
        )

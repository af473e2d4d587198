"""
The gRPC server of the discovery services, in both protocols.

The aggregated service (ADS) keeps the order of an update, and is what Envoys should use. Those of
a single type are the same engine on streams that know nothing of each other (rules 7, 9, 37).
Messages pass through gRPC as bytes: responses are joined from parts that were encoded when the
snapshot was made.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import grpc

from xds.admission import Admission
from xds.connection import disconnect
from xds.csds import ClientStatus
from xds.discovery import control_plane
from xds.encoder import Encoder
from xds.identity import Identity, anybody
from xds.limits import Limits
from xds.observer import Observer, StreamInfo
from xds.requests import StreamEnd, learn, parse
from xds.services import METHODS
from xds.session import House, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xds.cache import SnapshotCache
    from xds.discovery import Node
    from xds.identity import Authorizer
    from xds.observer import StreamStatus
    from xds.services import Method

_UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE
_INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
_EXHAUSTED: Final = grpc.StatusCode.RESOURCE_EXHAUSTED
_DENIED: Final = grpc.StatusCode.PERMISSION_DENIED


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
        limits: Limits | None = None,
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
            identifier: What clients are told they are served by (rule 16).
            limits: What clients may cost.
            clock: Tells the time for deadlines, in seconds; never goes back.
            wall_clock: Tells the time for people, in seconds since 1970.
        """
        self._proxy_of = proxy_of
        self._authorize = authorize
        self._limits = limits or Limits()
        self._house = House(
            cache=cache,
            observer=observer or Observer(),
            encoder=Encoder(control_plane(identifier)),
            clock=clock,
            wall_clock=wall_clock,
            limits=self._limits,
            admission=Admission(
                self._limits.first_bursts,
                turn_seconds=self._limits.first_burst_seconds,
                wait_seconds=self._limits.first_wait_seconds,
            ),
            disconnect=lambda peer: disconnect(peer, self._port),
        )
        self._ids = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._open = 0
        """How many streams there are, with those that have not introduced themselves."""
        self._port = 0
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
        await asyncio.to_thread(learn)
        server = grpc.aio.server(options=self._limits.channel_options())
        services: defaultdict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]
        services = defaultdict(dict)
        for method in METHODS:
            services[method.service][method.name] = self._handler(method)
        server.add_generic_rpc_handlers(
            tuple(itertools.starmap(grpc.method_handlers_generic_handler, services.items()))
        )
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
        self._port = port
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

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def serve(
            _: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
        ) -> None:
            self._open += 1
            try:
                end = await self._serve(method, context)
            finally:
                self._open -= 1
            if end.code is grpc.StatusCode.CANCELLED:
                raise asyncio.CancelledError  # there is nobody left to send a status to
            if end.code is not grpc.StatusCode.OK:
                await context.abort(end.code, end.reason)

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _serve(
        self, method: Method, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> StreamEnd:
        """Serve a stream to its end, and return why it ended."""
        peer = context.peer()
        try:
            session = await self._meet(method, context)
        except StreamEnd as refusal:
            self._house.observer.stream_refused(peer, refusal.reason, code=refusal.code.name)
            return refusal
        info = session.info
        denial = self._authorize(info.identity, info.proxy)
        if denial is not None:
            self._house.observer.stream_denied(info, denial)
            return StreamEnd(denial.text, _DENIED)
        self._sessions[info.id] = session
        self._house.observer.stream_opened(info)
        try:
            return await session.run()
        finally:
            del self._sessions[info.id]

    async def _meet(
        self, method: Method, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> Session:
        """
        Let a client introduce itself.

        Raises:
            StreamEnd: It is not served.
        """
        self._admit()
        self._count()
        request, node = parse(method, await self._first_words(context))
        info = self._introduce(method, node, context)
        self._admit()
        return Session(info, method, context, self._house, request)

    async def _first_words(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> object:
        try:
            async with asyncio.timeout(self._limits.introduction_seconds):
                return await context.read()
        except TimeoutError as error:
            raise StreamEnd("no request came", grpc.StatusCode.DEADLINE_EXCEEDED) from error

    def _admit(self) -> None:
        """Refuse a stream while there is nothing to be believed, or no future."""
        if self._draining:
            raise StreamEnd("the control plane is shutting down", _UNAVAILABLE)
        if not self._house.cache.synced:
            raise StreamEnd("the configuration has not been read yet", _UNAVAILABLE)

    def _count(self) -> None:
        """Refuse a stream that is one too many (rule 116)."""
        if self._open > self._limits.streams:
            raise StreamEnd(f"there are {self._limits.streams} streams already", _EXHAUSTED)

    def _introduce(
        self, method: Method, node: Node | None, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> StreamInfo:
        """Take the node of the first request; later ones are not looked at (rules 1 to 3)."""
        if node is None or not node.id:
            raise StreamEnd("the first request has no node with an id", _INVALID)
        return StreamInfo(
            id=next(self._ids),
            node=node,
            proxy=self._proxy_of(node),
            protocol=method.protocol,
            peer=context.peer(),
            connected_at=self._house.wall_clock(),
            type_url=method.type_url,
            identity=Identity.of(context.auth_context()),
        )

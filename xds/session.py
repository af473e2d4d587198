"""One stream on the wire: a reader, a writer, and the state machine between them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import grpc
from google.protobuf.message import DecodeError

from xds.delta import DeltaStream
from xds.discovery import encode_delta, encode_sotw, parse_delta, parse_sotw
from xds.observer import StreamStatus
from xds.sotw import SotwStream
from xds.stream import ProtocolError, Receipt, RequestKind, Response, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from xds.cache import SnapshotCache
    from xds.discovery import Node
    from xds.observer import Observer, StreamInfo
    from xds.snapshot import Snapshot
    from xds.standing import ResourceState

WRITE_SECONDS: Final = 30.0
"""
How long a client may take to accept a response before that is reported (rule 114).

Its stream is not ended: grpc.aio can neither cancel a call nor send its status while a write is
under way, so the client would believe in a stream that we have forgotten. It costs one burst of
memory until it reads on, and then gets the newest; a dead one is found by keepalive.
"""

_PARSE: Final[Mapping[str, Any]] = {"sotw": parse_sotw, "delta": parse_delta}
_ENCODE: Final = {"sotw": encode_sotw, "delta": encode_delta}
_MACHINE: Final[Mapping[str, type[SotwStream | DeltaStream]]] = {
    "sotw": SotwStream,
    "delta": DeltaStream,
}


class StreamEnd(Exception):  # noqa: N818 - an end need not be an error
    """The end of a stream, and the status that the client is told."""

    def __init__(self, reason: str, code: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def parse(protocol: Literal["sotw", "delta"], payload: object) -> tuple[Any, Node | None]:
    """
    Parse what was read: a request, and the node if it has one.

    Raises:
        StreamEnd: It is the end of the client's half, or no discovery request.
    """
    if not isinstance(payload, bytes):
        raise StreamEnd("closed by the client")
    try:
        request: tuple[Any, Node | None] = _PARSE[protocol](payload)
    except DecodeError as error:
        raise StreamEnd(
            f"not a discovery request: {error}", grpc.StatusCode.INVALID_ARGUMENT
        ) from error
    return request


class Session:
    """
    One stream, from its first request to its end.

    Responses are made when the writer is ready for them, from the newest snapshot, so a client
    that does not read costs one burst of memory and skips what came in between (rule 112).
    The reader waits for the writer, so that a client cannot ask faster than it takes answers.
    """

    def __init__(
        self,
        info: StreamInfo,
        context: grpc.aio.ServicerContext[bytes, bytes],
        cache: SnapshotCache,
        *,
        observer: Observer,
        control_plane: bytes,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        """Prepare to serve; all the rest happens in `run`."""
        self.info = info
        self._context = context
        self._cache = cache
        self._observer = observer
        self._control_plane = control_plane
        self._clock = clock
        self._wall_clock = wall_clock
        self._epoch = wall_clock() - clock()
        """The clock's zero, in seconds since 1970; fixed, so that looking again tells the same."""
        self._machine: Stream[Any] = _MACHINE[info.protocol](
            clock=clock, heard=self._heard, before=cache.before(info.proxy)
        )
        self._snapshot: Snapshot | None = None
        self._outbox: deque[Response] = deque()
        self._written = asyncio.Event()
        """Set while there is nothing to write."""
        self._work = asyncio.Event()
        """Set when the writer should look for something to write."""
        self._writing_since: float | None = None
        self._end: asyncio.Future[StreamEnd] = asyncio.get_running_loop().create_future()

    async def run(self, first: Any) -> StreamEnd:
        """
        Serve the stream until it ends, and return why it did.

        Args:
            first: The first request.
        """
        stop_watching = self._cache.watch(self.info.proxy, self._work.set)
        reason = "failed"
        try:
            self._publish()
            end = await self._converse(first)
            reason = end.reason
        except asyncio.CancelledError:
            reason = self._end.result().reason if self._end.done() else "cancelled by the client"
            raise  # gRPC leaks what swallows a cancellation
        finally:
            stop_watching()
            self._observer.stream_closed(self.info, reason)
        return end

    async def _converse(self, first: Any) -> StreamEnd:
        try:
            self._receive(first)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._write())
                tasks.create_task(self._await_end())
        except* StreamEnd as ends:
            end = _first(ends)
        return end

    def end(self, end: StreamEnd) -> None:
        """Ask the stream to end."""
        if not self._end.done():
            self._end.set_result(end)

    def forgive(self) -> None:
        """Try once more what the client refused."""
        self._post(self._machine.forgive())
        self._work.set()

    def status(self) -> StreamStatus:
        """Return where the client stands."""
        return StreamStatus(
            stream=self.info,
            served=self._snapshot is not None,
            writing_since=self._writing_since,
            types=tuple(
                replace(
                    state, rejection=replace(state.rejection, at=state.rejection.at + self._epoch)
                )
                if state.rejection is not None
                else state
                for state in self._machine.state()
            ),
        )

    def resources(self) -> Iterator[ResourceState]:
        """Return where the client stands at this moment; times are in seconds since 1970."""
        return self._machine.resources(epoch=self._epoch)

    async def _await_end(self) -> None:
        end = await self._end
        await self._written.wait()  # gRPC cannot send a status during a write
        raise end

    async def _read(self) -> None:
        while True:
            await self._written.wait()
            payload = await self._context.read()
            try:
                request, _ = parse(self.info.protocol, payload)
                self._receive(request)
            except StreamEnd:
                await self._written.wait()
                raise

    async def _write(self) -> None:
        while True:
            while self._outbox:
                await self._send(self._outbox.popleft())
            self._written.set()
            await self._wait_for_work()
            self._publish()

    async def _send(self, response: Response) -> None:
        payload = _ENCODE[self.info.protocol](response, self._control_plane)
        # Before it is written: the verdict may come before the transport says that it is.
        self._observer.response_sent(self.info, response.type_url, len(payload))
        self._writing_since = self._wall_clock()
        stalled = asyncio.get_running_loop().call_later(
            WRITE_SECONDS, self._observer.write_stalled, self.info, response.type_url
        )
        try:
            await self._context.write(payload)
        except grpc.aio.InternalError as error:
            raise StreamEnd(
                "the connection was lost during a write", grpc.StatusCode.CANCELLED
            ) from error
        finally:
            stalled.cancel()
            self._writing_since = None

    async def _wait_for_work(self) -> None:
        """Wait until there is something to look at, or something has waited long enough."""
        deadline = self._machine.deadline
        try:
            async with asyncio.timeout(None if deadline is None else deadline - self._clock()):
                await self._work.wait()
        except TimeoutError:
            self._post(self._machine.expire(self._clock()))
        self._work.clear()

    def _publish(self) -> None:
        """Take the newest snapshot, if it is another one."""
        info = self.info
        snapshot = self._cache.get(info.proxy, node=info.node.id, stream=info.id)
        if snapshot is not None and snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._post(self._machine.publish(snapshot))

    def _receive(self, request: Any) -> None:
        try:
            responses = self._machine.receive(request)
        except ProtocolError as error:
            raise StreamEnd(str(error), grpc.StatusCode.INVALID_ARGUMENT) from error
        self._post(responses)
        # A verdict may have moved the next deadline.
        self._work.set()

    def _post(self, responses: list[Response]) -> None:
        self._outbox.extend(responses)
        if self._outbox:
            self._written.clear()

    def _heard(self, receipt: Receipt) -> None:
        self._observer.request_received(self.info, receipt.type_url, receipt.kind)
        if receipt.kind is RequestKind.ACK:
            self._observer.acked(self.info, receipt.type_url, receipt.acked)
        elif receipt.kind is RequestKind.NACK:
            self._observer.rejected(self.info, receipt.type_url, receipt.rejected, receipt.text)


def _first(ends: BaseExceptionGroup[StreamEnd]) -> StreamEnd:
    first = ends.exceptions[0]
    return first if isinstance(first, StreamEnd) else _first(first)

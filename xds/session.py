"""One stream on the wire: a reader, a writer, and the state machine between them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from xds.delta import DeltaStream
from xds.discovery import encode_delta, encode_sotw, parse_delta, parse_sotw
from xds.observer import StreamStatus
from xds.pace import TokenBucket
from xds.sotw import SotwStream
from xds.stream import ProtocolError, Receipt, RequestKind, Response, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xds.admission import Admission
    from xds.cache import SnapshotCache
    from xds.discovery import Node
    from xds.limits import Limits
    from xds.observer import Observer, StreamInfo
    from xds.services import Method
    from xds.snapshot import Snapshot

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


def parse(method: Method, payload: object) -> tuple[Any, Node | None]:
    """
    Parse what was read: a request, and the node if it has one.

    On a stream of a single type the request need not name it (rule 7).

    Raises:
        StreamEnd: It is the end of the client's half, no discovery request, or one of a type that
            the method does not carry.
    """
    if not isinstance(payload, bytes):
        raise StreamEnd("closed by the client")
    try:
        request, node = _PARSE[method.protocol](payload)
    except DecodeError as error:
        raise StreamEnd(
            f"not a discovery request: {error}", grpc.StatusCode.INVALID_ARGUMENT
        ) from error
    if method.type_url and not request.type_url:
        request = replace(request, type_url=method.type_url)
    if method.type_url not in {"", request.type_url}:
        raise StreamEnd(
            f"{method.name} carries no {request.type_url}", grpc.StatusCode.INVALID_ARGUMENT
        )
    return request, node


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all streams of a server share."""

    cache: SnapshotCache
    """Where the snapshots are."""
    observer: Observer
    """Is told what happens."""
    control_plane: bytes
    """What clients are told they are served by, encoded."""
    clock: Callable[[], float]
    """Tells the time for deadlines, in seconds; never goes back."""
    wall_clock: Callable[[], float]
    """Tells the time for people, in seconds since 1970."""
    limits: Limits
    """What one client may cost."""
    admission: Admission
    """Whose turn it is to be sent its first resources."""
    disconnect: Callable[[str], bool]
    """Ends a client's connection, and tells whether it could."""


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
        method: Method,
        context: grpc.aio.ServicerContext[bytes, bytes],
        house: House,
    ) -> None:
        """Prepare to serve; all the rest happens in `run`."""
        self.info = info
        self._method = method
        self._context = context
        self._house = house
        self._observer = house.observer
        self._clock = house.clock
        self._machine: Stream[Any] = _MACHINE[info.protocol](
            clock=house.clock, heard=self._heard, only=method.type_url
        )
        self._snapshot: Snapshot | None = None
        self._outbox: deque[Response] = deque()
        self._written = asyncio.Event()
        """Set while there is nothing to write."""
        self._written.set()
        self._work = asyncio.Event()
        """Set when the writer should look for something to write."""
        self._writing_since: float | None = None
        self._stalled = ""
        """What the client has not read in time."""
        rate = house.limits.requests_per_second
        self._bucket = rate and TokenBucket(
            rate=rate, burst=house.limits.requests_at_once, clock=house.clock
        )
        self._pause = 0.0
        """For how long not to read, because the client asks too fast."""
        self._slowed = False
        self._end_turn: Callable[[], None] = lambda: None
        self._end: asyncio.Future[StreamEnd] = asyncio.get_running_loop().create_future()

    async def run(self, first: Any) -> StreamEnd:
        """
        Serve the stream until it ends, and return why it did.

        Args:
            first: The first request.
        """
        stop_watching = self._house.cache.watch(self.info.proxy, self._work.set)
        reason = "failed"
        try:
            end = await self._converse(first)
            reason = self._stalled or end.reason
        except asyncio.CancelledError:
            reason = self._stalled or (
                self._end.result().reason if self._end.done() else "cancelled by the client"
            )
            raise  # gRPC leaks what swallows a cancellation
        finally:
            self._end_turn()
            stop_watching()
            self._observer.stream_closed(self.info, reason)
        return end

    async def _converse(self, first: Any) -> StreamEnd:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._await_end())
                await self._begin(first)
                tasks.create_task(self._read())
                tasks.create_task(self._write())
        except* StreamEnd as ends:
            end = _first(ends)
        return end

    async def _begin(self, first: Any) -> None:
        """Answer the first request, when it is the client's turn (rule 116)."""
        self._end_turn = await self._house.admission.enter()
        self._publish()
        self._receive(first)
        if not self._outbox:
            self._end_turn()

    def end(self, end: StreamEnd) -> None:
        """Ask the stream to end."""
        if not self._end.done():
            self._end.set_result(end)

    def status(self) -> StreamStatus:
        """Return where the client stands."""
        ago = self._house.wall_clock() - self._clock()
        return StreamStatus(
            stream=self.info,
            served=self._snapshot is not None,
            writing_since=self._writing_since,
            types=tuple(
                replace(state, rejection=replace(state.rejection, at=state.rejection.at + ago))
                if state.rejection is not None
                else state
                for state in self._machine.state()
            ),
        )

    async def _await_end(self) -> None:
        end = await self._end
        await self._written.wait()  # gRPC cannot send a status during a write
        raise end

    async def _read(self) -> None:
        while True:
            await self._written.wait()
            payload = await self._context.read()
            try:
                request, _ = parse(self._method, payload)
                self._receive(request)
            except StreamEnd:
                await self._written.wait()
                raise
            if self._pause:
                await self._slow_down()

    async def _slow_down(self) -> None:
        if not self._slowed:
            self._slowed = True
            self._observer.requests_slowed(self.info)
        await asyncio.sleep(self._pause)
        self._pause = 0.0

    async def _write(self) -> None:
        while True:
            while self._outbox:
                await self._send(self._outbox.popleft())
            self._written.set()
            await self._wait_for_work()
            self._publish()

    async def _send(self, response: Response) -> None:
        payload = _ENCODE[self.info.protocol](response, self._house.control_plane)
        # Before it is written: the verdict may come before the transport says that it is.
        self._observer.response_sent(self.info, response.type_url, len(payload))
        self._writing_since = self._house.wall_clock()
        stalled = asyncio.get_running_loop().call_later(
            self._house.limits.write_deadline(len(payload)), self._stall, response.type_url
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

    def _stall(self, type_url: str) -> None:
        """
        Give up a client that does not read (rule 114).

        Where its connection cannot be ended, it costs one burst of memory until it reads on, and
        then gets the newest; a dead one is found by keepalive.
        """
        self._observer.write_stalled(self.info, type_url)
        if self._house.disconnect(self.info.peer):
            self._stalled = "did not read what it was sent"

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
        snapshot = self._house.cache.get(self.info.proxy)
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
        if receipt.kind in {RequestKind.ACK, RequestKind.NACK}:
            self._end_turn()
        elif self._bucket:
            # Of verdicts there are no more than we have sent responses.
            self._pause = self._bucket.take()


def _first(ends: BaseExceptionGroup[StreamEnd]) -> StreamEnd:
    first = ends.exceptions[0]
    return first if isinstance(first, StreamEnd) else _first(first)

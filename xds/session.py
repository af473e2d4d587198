"""One stream on the wire: a reader, a writer, and the state machine between them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import grpc

from xds.delta import DeltaStream
from xds.exchange import ProtocolError, Receipt, RequestKind, Response
from xds.observer import StreamStatus
from xds.pace import TokenBucket
from xds.requests import StreamEnd, parse
from xds.sotw import SotwStream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from xds.admission import Admission
    from xds.cache import SnapshotCache
    from xds.encoder import Encoder
    from xds.limits import Limits
    from xds.observer import Observer, StreamInfo
    from xds.services import Method
    from xds.snapshot import Snapshot
    from xds.standing import ResourceState
    from xds.stream import Stream

_MACHINE: Final[Mapping[str, type[SotwStream | DeltaStream]]] = {
    "sotw": SotwStream,
    "delta": DeltaStream,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all streams of a server share."""

    cache: SnapshotCache
    """Where the snapshots are."""
    observer: Observer
    """Is told what happens."""
    encoder: Encoder
    """Encodes what they are sent."""
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
    There is a writer only while there is something to write: most streams are idle most of the
    time, and a task that waits costs some kB.
    """

    __slots__ = (
        "_bucket",
        "_clock",
        "_context",
        "_end",
        "_end_turn",
        "_epoch",
        "_first",
        "_house",
        "_machine",
        "_method",
        "_observer",
        "_outbox",
        "_overdue",
        "_pause",
        "_slowed",
        "_snapshot",
        "_stalled",
        "_timer",
        "_writer",
        "_writing_since",
        "info",
    )

    def __init__(
        self,
        info: StreamInfo,
        method: Method,
        context: grpc.aio.ServicerContext[bytes, bytes],
        house: House,
        first: Any,
    ) -> None:
        """
        Prepare to serve; all the rest happens in `run`.

        Args:
            info: Whose stream it is.
            method: How the client has opened it.
            context: Its end of the transport.
            house: What it shares with other streams.
            first: The first request.
        """
        self.info = info
        self._first = first
        self._method = method
        self._context = context
        self._house = house
        self._observer = house.observer
        self._clock = house.clock
        self._epoch = house.wall_clock() - house.clock()
        """The clock's zero, in seconds since 1970; fixed, so that looking again tells the same."""
        self._machine: Stream[Any] = _MACHINE[info.protocol](
            clock=house.clock,
            heard=self._heard,
            before=house.cache.before(info.proxy),
            only=method.type_url,
        )
        self._snapshot: Snapshot | None = None
        self._outbox: list[Response] = []
        """What is still to be written, the next one last."""
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        """Wakes the writer when something has waited long enough."""
        self._overdue = False
        """Whether something has."""
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
        self._end_turn: Callable[[], None] = _nothing
        self._end: asyncio.Future[StreamEnd] = asyncio.get_running_loop().create_future()

    async def run(self) -> StreamEnd:
        """Serve the stream until it ends, and return why it did."""
        stop_watching = self._house.cache.watch(self.info.proxy, self._wake)
        reader = self._start(self._read())
        reason = "failed"
        try:
            end = await self._end
            await self._written()  # gRPC cannot send a status during a write
            reason = self._stalled or end.reason
        except asyncio.CancelledError:
            reason = self._stalled or (
                self._end.result().reason if self._end.done() else "cancelled by the client"
            )
            raise  # gRPC leaks what swallows a cancellation
        finally:
            stop_watching()
            await self._stop(reader)
            self._observer.stream_closed(self.info, reason)
        return end

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        """End the stream with what ended one of its tasks."""
        if task is self._writer:
            self._writer = None
        if task.cancelled() or (error := task.exception()) is None or self._end.done():
            return
        if isinstance(error, StreamEnd):
            self._end.set_result(error)
        else:
            self._end.set_exception(error)

    async def _stop(self, reader: asyncio.Task[None]) -> None:
        self._leave_turn()
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for task in (reader, self._writer) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def end(self, end: StreamEnd) -> None:
        """Ask the stream to end."""
        if not self._end.done():
            self._end.set_result(end)

    def forgive(self) -> None:
        """Try once more what the client refused."""
        self._post(self._machine.forgive())
        self._wake()

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

    async def _read(self) -> None:
        # Rule 116: the first answer may have to wait for its turn.
        self._end_turn = await self._house.admission.enter()
        self._publish()
        first, self._first = self._first, None
        self._receive(first)
        del first  # it may be large, and this goes on for days
        if not self._outbox:
            self._leave_turn()
        while True:
            await self._written()
            try:
                self._receive(parse(self._method, await self._context.read())[0])
            except StreamEnd:
                await self._written()
                raise
            if self._pause:
                await self._slow_down()

    async def _slow_down(self) -> None:
        if not self._slowed:
            self._slowed = True
            self._observer.requests_slowed(self.info)
        await asyncio.sleep(self._pause)
        self._pause = 0.0

    def _wake(self) -> None:
        """Have somebody look for something to write."""
        if self._writer is None and not self._end.done():
            self._writer = self._start(self._write())

    async def _write(self) -> None:
        while self._outbox or (not self._end.done() and self._look()):
            await self._send(self._outbox.pop())
        self._writer = None

    async def _written(self) -> None:
        """Wait until there is nothing to write."""
        while self._writer is not None:
            await asyncio.wait((self._writer,))

    def _look(self) -> bool:
        """Tell whether there is anything to write, and else make sure to look again in time."""
        self._publish()
        if self._overdue:
            self._overdue = False
            self._post(self._machine.expire(self._clock()))
        if not self._outbox:
            self._set_timer()
        return bool(self._outbox)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        deadline = self._machine.deadline
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(
                max(0.0, deadline - self._clock()), self._due
            )

    def _due(self) -> None:
        self._timer = None
        self._overdue = True
        self._wake()

    async def _send(self, response: Response) -> None:
        encoder, protocol = self._house.encoder, self.info.protocol
        if encoder.is_large(response):
            payload = await asyncio.to_thread(encoder.encode, protocol, response)
        else:
            payload = encoder.encode(protocol, response)
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

    def _publish(self) -> None:
        """Take the newest snapshot, if it is another one."""
        info = self.info
        cache = self._house.cache
        snapshot = cache.get(info.proxy, node=info.node.id, stream=info.id)
        if snapshot is not None and snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._post(self._machine.publish(snapshot, cache.number))

    def _receive(self, request: Any) -> None:
        try:
            responses = self._machine.receive(request)
        except ProtocolError as error:
            raise StreamEnd(str(error), grpc.StatusCode.INVALID_ARGUMENT) from error
        self._post(responses)
        if self._outbox or self._writer is not None:
            self._wake()
        else:
            # A verdict may have moved the next deadline.
            self._set_timer()

    def _post(self, responses: list[Response]) -> None:
        self._outbox[:0] = reversed(responses)

    def _leave_turn(self) -> None:
        self._end_turn()
        self._end_turn = _nothing

    def _heard(self, receipt: Receipt) -> None:
        self._observer.request_received(self.info, receipt.type_url, receipt.kind)
        if receipt.brought:
            self._observer.brought(self.info, receipt.type_url, receipt.brought)
        if receipt.kind is RequestKind.ACK:
            self._observer.acked(self.info, receipt.type_url, receipt.acked)
        elif receipt.kind is RequestKind.NACK:
            self._observer.rejected(self.info, receipt.type_url, receipt.rejected, receipt.text)
        if receipt.kind in {RequestKind.ACK, RequestKind.NACK}:
            self._leave_turn()
        elif self._bucket:
            # Of verdicts there are no more than we have sent responses.
            self._pause = self._bucket.take()


def _nothing() -> None:
    """End the turn of somebody who has none."""

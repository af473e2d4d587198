"""What a management server and its clients say to each other, read along on the wire."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from xds import messages
from xds.types import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PACKAGE = "envoy.service.discovery.v3"
_PREFIX = {"StreamAggregatedResources": "", "DeltaAggregatedResources": "Delta"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request or a response."""

    at: float
    """When it passed, in seconds of `time.perf_counter`."""
    stream: int
    """The number of its stream, from 1."""
    request: bool
    type_url: str
    nonce: str
    version: str
    error: str | None = None
    """Why a response is refused; requests only."""
    names: tuple[str, ...] = ()
    """What is asked for; requests only."""
    resources: Mapping[str, bytes] = field(default_factory=dict)
    """Encoded messages by name; responses only."""
    removed: tuple[str, ...] = ()
    """What is said not to exist; incremental responses only."""


class Wire(grpc.aio.ServerInterceptor):
    """
    Reads along, and can lose responses.

    All of it happens in the event loop of the server; reading the results from another thread is
    safe, since they only grow.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.accepted: dict[str, dict[str, bytes]] = {}
        """What the newest client has accepted, by type and name, as encoded messages."""
        self.lose: Callable[[Message], bool] = lambda _: False
        """Tells which responses are not to arrive."""
        self.streams = 0
        self._news = threading.Condition()
        self._under_way: dict[str, Message] = {}

    def responses(self, type_url: str | None = None, *, since: int = 0) -> list[Message]:
        """Return the responses of a type, or all, from a message on."""
        return [
            message
            for message in self.messages[since:]
            if not message.request and type_url in {None, message.type_url}
        ]

    def requests(self, type_url: str | None = None, *, since: int = 0) -> list[Message]:
        """Return the requests of a type, or all, from a message on."""
        return [
            message
            for message in self.messages[since:]
            if message.request and type_url in {None, message.type_url}
        ]

    def refusals(self, *, since: int = 0) -> list[str]:
        """Return the texts of the NACKs from a message on."""
        return [m.error for m in self.messages[since:] if m.error is not None]

    def times_sent(self, type_url: str, name: str, body: bytes, *, since: int = 0) -> int:
        """Count the responses that brought this very version of a resource."""
        return sum(m.resources.get(name) == body for m in self.responses(type_url, since=since))

    def wait_for_messages(self, number: int, seconds: float) -> None:
        """Wait until so many more have passed, or for so long."""
        with self._news:
            goal = len(self.messages) + number
            self._news.wait_for(lambda: len(self.messages) >= goal, seconds)

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        prefix = _PREFIX[details.method.rpartition("/")[2]]

        async def serve(requests, context):
            self.streams += 1
            self._under_way = {}
            await handler.stream_stream(requests, _Context(context, self, prefix, self.streams))

        return grpc.stream_stream_rpc_method_handler(serve)

    def record(self, message: Message) -> None:
        if message.request:
            self._judge(message)
        else:
            self._under_way[message.nonce] = message
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def _judge(self, verdict: Message) -> None:
        sent = self._under_way.get(verdict.nonce)
        if sent is None or verdict.type_url != sent.type_url:
            return
        delta = verdict.version is None
        # SotW: a request with another version is none that accepts; an ACK settles older ones.
        accepted = verdict.error is None and (delta or verdict.version == sent.version)
        settled = []
        for nonce, each in list(self._under_way.items()):
            if each is sent or (not delta and each.type_url == sent.type_url):
                settled.append(self._under_way.pop(nonce))
            if each is sent:
                break
        if not accepted:
            return
        have = self.accepted.setdefault(sent.type_url, {})
        if not delta and sent.type_url in COLLECTIONS:
            have.clear()
            settled = [sent]
        for each in settled:
            have.update(each.resources)
            for name in each.removed:
                have.pop(name, None)


class _Context:
    """What the server takes for its connection to a client."""

    def __init__(self, context, wire: Wire, prefix: str, stream: int) -> None:
        self._context = context
        self._wire = wire
        self._prefix = prefix
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._context, name)

    async def read(self):
        payload = await self._context.read()
        if isinstance(payload, bytes):
            self._wire.record(self._request(payload))
        return payload

    async def write(self, payload):
        message = self._response(payload)
        if not self._wire.lose(message):
            self._wire.record(message)
            await self._context.write(payload)

    def _request(self, payload: bytes) -> Message:
        parsed = messages.parse(f"{_PACKAGE}.{self._prefix}DiscoveryRequest", payload)
        return Message(
            at=time.perf_counter(),
            stream=self._stream,
            request=True,
            type_url=parsed.type_url,
            nonce=parsed.response_nonce,
            version=None if self._prefix else parsed.version_info,
            error=parsed.error_detail.message if parsed.HasField("error_detail") else None,
            names=tuple(parsed.resource_names_subscribe if self._prefix else parsed.resource_names),
        )

    def _response(self, payload: bytes) -> Message:
        parsed = messages.parse(f"{_PACKAGE}.{self._prefix}DiscoveryResponse", payload)
        if self._prefix:
            resources = {each.name: each.resource.value for each in parsed.resources}
        else:
            resources = {_name(each): each.value for each in parsed.resources}
        return Message(
            at=time.perf_counter(),
            stream=self._stream,
            request=False,
            type_url=parsed.type_url,
            nonce=parsed.nonce,
            version=parsed.system_version_info if self._prefix else parsed.version_info,
            resources=resources,
            removed=tuple(parsed.removed_resources) if self._prefix else (),
        )


def _name(resource) -> str:
    """Return the name of a packed resource, which for every type is its first field."""
    message = messages.parse(resource.type_url.rpartition("/")[2], resource.value)
    return getattr(message, message.DESCRIPTOR.fields_by_number[1].name)

"""
The client status discovery service (CSDS, rule 95): each client's state, resource by resource.

It answers on the port of the aggregated discovery service, from what the state machines of the
streams know. Nothing is kept for it, and asking changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc
from google.protobuf.message import DecodeError

from xds import messages
from xds.identity import Identity, Reason, anybody
from xds.matchers import node_filter
from xds.types import SECRET
from xds.wire import field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from xds.identity import Authorizer
    from xds.observer import StreamInfo
    from xds.snapshot import Resource
    from xds.standing import Refusal, ResourceState

_PACKAGE: Final = "envoy.service.status.v3"
_SERVICE: Final = f"{_PACKAGE}.ClientStatusDiscoveryService"
_REQUEST: Final = f"{_PACKAGE}.ClientStatusRequest"
_CLIENT: Final = f"{_PACKAGE}.ClientConfig"
_RESOURCE: Final = f"{_PACKAGE}.ClientConfig.GenericXdsConfig"
_MESSAGES: Final = (_REQUEST, _CLIENT, _RESOURCE)
_BATCH: Final = 100
"""How many resources are encoded at a time, before others get their turn: about 2 ms."""
_LIMIT: Final = 256 * 1024 * 1024
"""How large an answer may be, in bytes."""

Context = grpc.aio.ServicerContext[bytes, bytes]


class ClientStream(Protocol):
    """What there is to know of one connected client."""

    @property
    def info(self) -> StreamInfo:
        """Who it is."""

    def resources(self) -> Iterator[ResourceState]:
        """Return where it stands at this moment; times are in seconds since 1970."""


class ClientStatus:
    """The service; its clients are operators' tools."""

    def __init__(
        self,
        streams: Callable[[], Iterable[ClientStream]],
        *,
        authorize: Authorizer = anybody,
        limit: int = _LIMIT,
    ) -> None:
        """
        Prepare to answer.

        Args:
            streams: Tells who is connected.
            authorize: Tells whether a caller may ask for a proxy. Of other proxies' clients it is
                told nothing, as if they were not there.
            limit: How large an answer may be, in bytes.
        """
        self._streams = streams
        self._authorize = authorize
        self._limit = limit
        self._prepared = False
        self._turn = asyncio.Lock()
        """One answer is made at a time: it may be large."""

    def handler(self) -> grpc.GenericRpcHandler[bytes, bytes]:
        """Return what a server needs to serve it."""
        methods = {
            "FetchClientStatus": grpc.unary_unary_rpc_method_handler(self._fetch),
            "StreamClientStatus": grpc.stream_stream_rpc_method_handler(self._stream),
        }
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    async def _fetch(self, request: bytes, context: Context) -> bytes:
        return await self._answer(request, context)

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Answer each request of a stream, as if it were the only one."""
        async for request in requests:
            await context.write(await self._answer(request, context))

    def _visible(self, caller: Identity | None) -> list[ClientStream]:
        """Return the streams that a caller may be told of."""
        return [each for each in self._streams() if not self._authorize(caller, each.info.proxy)]

    async def _answer(self, payload: bytes, context: Context) -> bytes:
        caller = Identity.of(context.auth_context())
        denial = self._authorize(caller, "")
        if denial is not None and denial.reason is not Reason.OTHER_PROXY:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, denial.text)
        if not self._prepared:
            # The first time the classes are made, which takes long enough to be noticed.
            await asyncio.to_thread(lambda: list(map(messages.message_class, _MESSAGES)))
            self._prepared = True
        try:
            request: Any = messages.parse(_REQUEST, payload)
            wanted = node_filter(request.node_matchers)
        except (DecodeError, ValueError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        async with self._turn:
            try:
                streams = [each for each in self._visible(caller) if wanted(each.info.node)]
                return await self._encode(streams, contents=not request.exclude_resource_contents)
            except OverflowError as error:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        raise AssertionError  # for the type checker: abort does not return

    async def _encode(self, streams: Iterable[ClientStream], *, contents: bool) -> bytes:
        """Encode a ClientStatusResponse, letting others have their turn in between."""
        configs: list[bytes] = []
        room = self._limit
        for stream in streams:
            configs.append(field(1, await _config(stream, room, contents=contents)))
            room -= len(configs[-1])
            await asyncio.sleep(0)
        return b"".join(configs)


async def _config(stream: ClientStream, room: int, *, contents: bool) -> bytes:
    """
    Encode a ClientConfig.

    Raises:
        OverflowError: It is larger than there is room.
    """
    encoded = bytearray(messages.encode(_client(stream.info)))
    for number, state in enumerate(stream.resources(), 1):
        # Field 3 is generic_xds_configs.
        encoded += field(3, messages.encode(_resource(state, contents=contents)))
        if len(encoded) > room:
            raise OverflowError(
                "the answer is too large: ask for fewer clients with node_matchers, or set "
                "exclude_resource_contents"
            )
        if not number % _BATCH:
            await asyncio.sleep(0)
    return bytes(encoded)


def _client(info: StreamInfo) -> Any:
    """Build a ClientConfig that has everything but the resources."""
    node = info.node
    return messages.build(
        _CLIENT,
        node={
            "id": node.id,
            "cluster": node.cluster,
            "metadata": messages.struct(node.metadata),
            "user_agent_name": node.user_agent,
            "user_agent_version": node.version,
        },
        client_scope=info.proxy,
    )


def _resource(state: ResourceState, *, contents: bool) -> Any:
    """
    Build a GenericXdsConfig.

    The configuration and its version are what the client uses, also after it refused a newer one:
    that one stands in `error_state`, so that both can be seen. Of secrets no content is told.
    """
    contents = contents and state.type_url != SECRET
    fields: dict[str, Any] = {}
    if state.accepted is not None:
        fields["version_info"] = state.accepted.version
        if contents:
            fields["xds_config"] = _any(state.accepted)
    if state.sent_at is not None:
        fields["last_updated"] = _timestamp(state.sent_at)
    if state.refusal is not None:
        fields["error_state"] = _failure(state.refusal, contents=contents)
    return messages.build(
        _RESOURCE,
        type_url=state.type_url,
        name=state.name,
        config_status=str(state.sync),
        client_status=str(state.client),
        **fields,
    )


def _failure(refusal: Refusal, *, contents: bool) -> dict[str, Any]:
    """Describe an UpdateFailureState."""
    fields: dict[str, Any] = {
        "version_info": refusal.resource.version,
        "details": refusal.text,
        "last_update_attempt": _timestamp(refusal.at),
    }
    if contents:
        fields["failed_configuration"] = _any(refusal.resource)
    return fields


def _any(resource: Resource) -> dict[str, object]:
    return {"type_url": resource.type_url, "value": resource.body}


def _timestamp(seconds: float) -> dict[str, int]:
    nanoseconds = round(seconds * 1e9)
    return {"seconds": nanoseconds // 10**9, "nanos": nanoseconds % 10**9}

"""
Stand-ins for the tests of whatever uses this package.

`FakeClock` is a clock that is moved by hand, `FakeEnvoy` a client that speaks the real protocol
over real gRPC and does exactly what a test tells it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import grpc

from xds import messages
from xds.services import method

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["FakeClock", "FakeEnvoy", "Received"]

_PACKAGE: Final = "envoy.service.discovery.v3"


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        """The time in seconds."""

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A response as it came over the wire."""

    type_url: str
    version: str
    nonce: str
    resources: Mapping[str, bytes]
    """The serialised messages by name, in the order of the response."""
    versions: Mapping[str, str]
    """The version of each resource; incremental protocol only."""
    removed: tuple[str, ...]
    """Names that do not exist; incremental protocol only."""
    control_plane: str
    """Who says so."""


class FakeEnvoy:
    """
    One stream of a client that does nothing by itself.

    Use it as an asynchronous context manager:

        async with FakeEnvoy(port, protocol="delta", cluster="gateway-proxy") as envoy:
            await envoy.subscribe(CLUSTER)
            await envoy.ack(await envoy.expect(CLUSTER))
    """

    def __init__(
        self,
        port: int,
        *,
        protocol: Literal["sotw", "delta"] = "sotw",
        node: str = "envoy-1",
        cluster: str = "",
        metadata: Mapping[str, object] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        only: str = "",
    ) -> None:
        """
        Prepare a client.

        Args:
            port: Where the server listens, on loopback.
            protocol: State of the world, or incremental.
            node: The node's id; empty to introduce nobody.
            cluster: The node's cluster.
            metadata: The node's metadata, as plain values.
            credentials: What it trusts, and proves itself with, if the server has TLS. The name
                that the server has to prove is `localhost`.
            only: The type whose own service is used, and need not be told; empty for ADS.
        """
        self._protocol = protocol
        self._node: object = {
            "id": node,
            "cluster": cluster,
            "user_agent_name": "fake",
            "metadata": messages.struct(metadata or {}),
        }
        options: Any = [
            ("grpc.max_receive_message_length", -1),  # as Envoy does
            ("grpc.use_local_subchannel_pool", 1),  # one connection for each client
        ]
        channel: Any
        if credentials is None:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        else:
            options.append(("grpc.ssl_target_name_override", "localhost"))
            channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)
        # Any: the type stubs of grpc do not know the defaults of its asyncio side.
        self._channel = channel
        self._only = only
        self._call: Any = self._channel.stream_stream(method(protocol, only).path)()
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._received: deque[Received] = deque()
        self._names: dict[str, tuple[str, ...]] = {}
        self._nonces: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        self._call.cancel()
        await self._channel.close()

    async def subscribe(
        self,
        type_url: str,
        *names: str,
        have: Mapping[str, str] | None = None,
        version: str = "",
    ) -> None:
        """
        Ask for resources.

        Args:
            type_url: The type.
            names: All names that are wanted from now on in the state-of-the-world protocol,
                names that are wanted as well in the incremental one.
            have: What the client has from an earlier stream; incremental protocol only.
            version: The version that it accepted last there; state-of-the-world protocol only.
        """
        if version:
            self._versions[type_url] = version
        self._names[type_url] = names
        if self._protocol == "delta":
            await self._request(
                type_url=type_url,
                resource_names_subscribe=names,
                initial_resource_versions=have or {},
            )
        else:
            await self._answer(type_url, self._nonces.get(type_url, ""))

    async def unsubscribe(self, type_url: str, *names: str) -> None:
        """Ask for resources no longer; incremental protocol only."""
        await self._request(type_url=type_url, resource_names_unsubscribe=names)

    async def ack(self, response: Received) -> None:
        """Accept a response."""
        self._versions[response.type_url] = response.version
        await self._answer(response.type_url, response.nonce)

    async def nack(self, response: Received, text: str) -> None:
        """Refuse a response, the way Envoy does."""
        await self._answer(response.type_url, response.nonce, error={"code": 13, "message": text})

    async def send(self, payload: bytes) -> None:
        """Send anything at all."""
        await self._call.write(payload)

    async def expect(self, type_url: str, *, seconds: float = 5.0) -> Received:
        """
        Return the next response of a type; those of other types can be expected later.

        Raises:
            AssertionError: None came in time.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for response in self._received:
                        if response.type_url == type_url:
                            self._received.remove(response)
                            return response
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            others = [response.type_url for response in self._received]
            raise AssertionError(f"no {type_url} within {seconds} s, only {others}") from None

    async def expect_silence(self, *, seconds: float = 0.1) -> None:
        """
        Wait a little for nothing.

        Raises:
            AssertionError: Something came, now or before, that was not expected yet.
        """
        await asyncio.sleep(seconds)
        assert not self._received, f"unexpected: {self._received}"  # noqa: S101 - for tests

    async def closed(self, *, seconds: float = 5.0) -> tuple[grpc.StatusCode, str]:
        """Wait for the server to end the stream, and return what it says."""
        async with asyncio.timeout(seconds):
            return await self._call.code(), await self._call.details()

    async def _answer(self, type_url: str, nonce: str, *, error: object = None) -> None:
        self._nonces[type_url] = nonce
        fields: dict[str, object] = {"type_url": type_url, "response_nonce": nonce}
        if error is not None:
            fields["error_detail"] = error
        if self._protocol == "sotw":
            fields["resource_names"] = self._names.get(type_url, ())
            fields["version_info"] = self._versions.get(type_url, "")
        await self._request(**fields)

    async def _request(self, **fields: object) -> None:
        name = "DiscoveryRequest" if self._protocol == "sotw" else "DeltaDiscoveryRequest"
        if self._only:
            del fields["type_url"]
        if self._node is not None:
            fields["node"], self._node = self._node, None
        await self.send(messages.encode(messages.build(f"{_PACKAGE}.{name}", **fields)))

    async def _read(self) -> None:
        parse = _parse_sotw if self._protocol == "sotw" else _parse_delta
        while isinstance(payload := await self._next(), bytes):
            self._received.append(parse(payload))
            self._news.set()

    async def _next(self) -> object:
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError:
            return None  # the test asks for the status with `closed`


def _parse_sotw(payload: bytes) -> Received:
    message: Any = messages.parse(f"{_PACKAGE}.DiscoveryResponse", payload)
    return Received(
        type_url=message.type_url,
        version=message.version_info,
        nonce=message.nonce,
        resources=MappingProxyType({_name(each): each.value for each in message.resources}),
        versions=MappingProxyType({}),
        removed=(),
        control_plane=message.control_plane.identifier,
    )


def _parse_delta(payload: bytes) -> Received:
    message: Any = messages.parse(f"{_PACKAGE}.DeltaDiscoveryResponse", payload)
    return Received(
        type_url=message.type_url,
        version=message.system_version_info,
        nonce=message.nonce,
        resources=MappingProxyType({each.name: each.resource.value for each in message.resources}),
        versions=MappingProxyType({each.name: each.version for each in message.resources}),
        removed=tuple(message.removed_resources),
        control_plane=message.control_plane.identifier,
    )


def _name(resource: Any) -> str:
    """Return the name of a packed resource, which for every type is its first field."""
    full_name = resource.type_url.rpartition("/")[2]
    message = messages.parse(full_name, resource.value)
    return str(getattr(message, message.DESCRIPTOR.fields_by_number[1].name))

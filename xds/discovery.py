"""The discovery messages on the wire, and what of them matters."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from xds import messages
from xds.delta import DeltaRequest
from xds.sotw import SotwRequest
from xds.wire import field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from xds.exchange import Response
    from xds.snapshot import Resource

_PACKAGE: Final = "envoy.service.discovery.v3"
_SOTW_HEADER: Final[Callable[[Resource], bytes]] = attrgetter("sotw_header")
_DELTA_HEADER: Final[Callable[[Resource], bytes]] = attrgetter("delta_header")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What we keep of a client's introduction: of 60 kB, mostly its list of extensions, little."""

    id: str
    """The name of the client; not necessarily unique."""
    cluster: str
    """The group that it says it belongs to."""
    metadata: Mapping[str, object]
    """Plain values: strings, floats, booleans, None, lists and mappings."""
    user_agent: str
    """The kind of client, such as `envoy`."""
    version: str
    """The version of the client, such as `1.40.0`; empty if it does not say."""


def parse_sotw(payload: bytes) -> tuple[SotwRequest, Node | None]:
    """
    Parse a DiscoveryRequest, and the node if it has one.

    Raises:
        google.protobuf.message.DecodeError: It is none.
    """
    message: Any = messages.parse(f"{_PACKAGE}.DiscoveryRequest", payload)
    # A resource locator is a name with parameters, which no known client uses (rule 52).
    names = (*message.resource_names, *(each.name for each in message.resource_locators))
    request = SotwRequest(
        type_url=sys.intern(message.type_url),
        names=names,
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )
    return request, _node(message)


def parse_delta(payload: bytes) -> tuple[DeltaRequest, Node | None]:
    """
    Parse a DeltaDiscoveryRequest, and the node if it has one.

    Raises:
        google.protobuf.message.DecodeError: It is none.
    """
    message: Any = messages.parse(f"{_PACKAGE}.DeltaDiscoveryRequest", payload)
    subscribed = (each.name for each in message.resource_locators_subscribe)
    unsubscribed = (each.name for each in message.resource_locators_unsubscribe)
    request = DeltaRequest(
        type_url=sys.intern(message.type_url),
        subscribe=(*message.resource_names_subscribe, *subscribed),
        unsubscribe=(*message.resource_names_unsubscribe, *unsubscribed),
        initial_versions=MappingProxyType(dict(message.initial_resource_versions)),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )
    return request, _node(message)


def control_plane(identifier: str) -> bytes:
    """Encode what tells clients who serves them (`envoy.config.core.v3.ControlPlane`)."""
    return field(1, identifier.encode())


def encode_sotw(response: Response, plane: bytes) -> bytes:
    """Join a DiscoveryResponse from its encoded parts."""
    return b"".join(
        (
            field(1, response.version.encode()),
            *_with_bodies(map(_SOTW_HEADER, response.resources), response.resources),
            field(4, response.type_url.encode()),
            field(5, response.nonce.encode()),
            field(6, plane),
        )
    )


def encode_delta(response: Response, plane: bytes) -> bytes:
    """Join a DeltaDiscoveryResponse from its encoded parts."""
    return b"".join(
        (
            field(1, response.version.encode()),
            *_with_bodies(map(_DELTA_HEADER, response.resources), response.resources),
            field(4, response.type_url.encode()),
            field(5, response.nonce.encode()),
            *(field(6, name.encode()) for name in response.removed),
            field(7, plane),
        )
    )


def _with_bodies(headers: Iterable[bytes], resources: Iterable[Resource]) -> list[bytes]:
    """Return the `resources` fields of a response, to be joined."""
    parts: list[bytes] = []
    for header, resource in zip(headers, resources, strict=True):
        parts.append(header)
        # There may be ten thousand that are whole, or one in ten thousand chunks.
        if isinstance(resource.pieces, bytes):
            parts.append(resource.pieces)
        else:
            parts.extend(resource.chunks)
    return parts


def _node(message: Any) -> Node | None:
    if not message.HasField("node"):
        return None
    node = message.node
    version = node.user_agent_version
    if node.HasField("user_agent_build_version"):
        number = node.user_agent_build_version.version
        version = f"{number.major_number}.{number.minor_number}.{number.patch}"
    try:
        metadata = json_format.MessageToDict(node.metadata)
    except ValueError as error:
        raise DecodeError(f"the node's metadata: {error}") from error
    return Node(
        id=node.id,
        # What is the same for all of a fleet is kept once.
        cluster=sys.intern(node.cluster),
        metadata=MappingProxyType(metadata),
        user_agent=sys.intern(node.user_agent_name),
        version=sys.intern(version),
    )

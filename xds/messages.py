"""
Envoy's messages: envoy-data-plane describes them, Google's protobuf (upb, in C) builds and encodes.

envoy-data-plane's classes know every field of Envoy's API, but encode in pure Python and validate
each subtree again. So its field metadata is turned into descriptors, which are all that protobuf
needs, in a pool of our own: another library in the process may bring the same names in the
default pool. Descriptors are made when a message is first asked for, with all it can contain.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool

from xds.descriptors import DescriptorDatabase
from xds.wire import field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

__all__ = [
    "build",
    "encode",
    "field",
    "message_class",
    "pack",
    "parse",
    "struct",
    "to_dict",
    "type_url",
]

_TYPE_URL_PREFIX: Final = "type.googleapis.com/"
_POOL: Final = DescriptorPool(DescriptorDatabase())


@functools.cache
def message_class(full_name: str) -> type[Message]:
    """
    Return the class of a message by its full protobuf name.

    Args:
        full_name: Such as `envoy.config.route.v3.RouteConfiguration`.

    Raises:
        LookupError: Neither Envoy's API nor protobuf's well-known types have such a message.
    """
    try:
        descriptor = _POOL.FindMessageTypeByName(full_name)
    except KeyError:
        raise LookupError(f"no message is called {full_name!r}") from None
    return message_factory.GetMessageClass(descriptor)


def build(full_name: str, /, **fields: object) -> Message:
    """
    Build a message from its field values.

    Messages may be given as mappings of their own fields: a wrapper is `{"value": 3}`, a duration
    `{"seconds": 3}`. Enum values may be given by name. For a `google.protobuf.Struct` use
    `struct`, because protobuf understands a mapping differently in a field and in a map.
    """
    return message_class(full_name)(**fields)


def struct(values: Mapping[str, object]) -> Message:
    """Build a `google.protobuf.Struct` from plain values."""
    message: Any = message_class("google.protobuf.Struct")()
    message.update(values)
    return message  # type: ignore[no-any-return]  # protobuf adds `update` to this type only


def encode(message: Message) -> bytes:
    """Serialise a message; equal messages give equal bytes, whatever the order of their maps."""
    return message.SerializeToString(deterministic=True)


def parse(full_name: str, payload: bytes) -> Message:
    """
    Parse a serialised message.

    Raises:
        google.protobuf.message.DecodeError: The bytes are no such message.
    """
    return message_class(full_name).FromString(payload)


def pack(message: Message) -> Message:
    """Wrap a message into a `google.protobuf.Any`, deterministically."""
    return build(
        "google.protobuf.Any",
        type_url=type_url(message.DESCRIPTOR.full_name),
        value=encode(message),
    )


def type_url(full_name: str) -> str:
    """Return the type URL that stands for a message inside an `Any` and in discovery requests."""
    return _TYPE_URL_PREFIX + full_name


def to_dict(message: Message) -> Mapping[str, object]:
    """
    Return a message as plain values for people to read.

    The field names are those of the .proto files, an `Any` shows its content beside its `@type`,
    and keys are sorted, since the maps of a message have no order.
    """
    plain = json_format.MessageToDict(
        message, preserving_proto_field_name=True, descriptor_pool=_POOL
    )
    return {key: _sorted(plain[key]) for key in sorted(plain)}


def _sorted(value: object) -> object:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
        case _:
            return value

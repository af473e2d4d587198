"""Small messages that many others hold, as the plain values that `xds.messages.build` takes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, TypeAlias

from xds.messages import build, field, parse, struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

    from translator import ir

Value: TypeAlias = "str | bytes | bool | int | Mapping[str, Value] | Sequence[Value] | Message"
"""What a field of a message can be set to."""
Fields: TypeAlias = dict[str, Value]

ADS: Fields = {"ads": {}, "resource_api_version": "V3"}
"""A config source: the stream that the resource itself came on."""

_METADATA: Final = "envoy.config.core.v3.Metadata"
_NANOS = 1_000_000_000


def duration(nanoseconds: int) -> Fields:
    """Make a google.protobuf.Duration."""
    seconds, nanos = divmod(nanoseconds, _NANOS)
    return {"seconds": seconds, "nanos": nanos}


@functools.lru_cache(maxsize=1024)
def lb_metadata(labels: ir.Labels) -> Message:
    """
    Make the metadata that subset load balancing looks at.

    The same few subsets are in most routes, and a struct takes longer to build than all the rest.
    """
    return build(_METADATA, filter_metadata={"envoy.lb": struct(dict(labels))})


def provenance(source: ir.Source) -> Message:
    """
    Make the metadata that tells whose resource this is.

    It names the resource and the route, never a line, so that a comment changes no byte.
    """
    return parse(_METADATA, encode_provenance(source))


def encode_provenance(source: ir.Source) -> bytes:
    """Encode the metadata that tells whose resource this is."""
    values = _owner(source.kind, source.namespace, source.name)
    if source.route:
        values += _entry("route", source.route)
    # `filter_metadata` is field 1 of Metadata, a map like the fields of a Struct.
    return field(1, field(1, b"penstock") + field(2, values))


@functools.lru_cache(maxsize=64)
def _owner(kind: str, namespace: str, name: str) -> bytes:
    """Encode a Struct; one table's routes follow each other, and have it in common."""
    return _entry("kind", kind) + _entry("name", name) + _entry("namespace", namespace)


def _entry(key: str, value: str) -> bytes:
    """Encode one text in a Struct: `fields` is field 1, `string_value` field 3 of a Value."""
    return field(1, field(1, key.encode()) + field(2, field(3, value.encode())))


def socket_address(address: str, port: int, *, ipv4_compat: bool = False) -> Fields:
    """Make a TCP address."""
    fields: Fields = {"address": address, "port_value": port}
    if ipv4_compat:
        fields["ipv4_compat"] = True
    return {"socket_address": fields}

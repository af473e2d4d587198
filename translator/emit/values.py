"""Small messages that many others hold, as the plain values that `xds.messages.build` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from xds.messages import struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

    from translator import ir

Value: TypeAlias = "str | bytes | bool | int | Mapping[str, Value] | Sequence[Value] | Message"
"""What a field of a message can be set to."""
Fields: TypeAlias = dict[str, Value]

ADS: Fields = {"ads": {}, "resource_api_version": "V3"}
"""A config source: the stream that the resource itself came on."""

_NANOS = 1_000_000_000


def duration(nanoseconds: int) -> Fields:
    """Make a google.protobuf.Duration."""
    seconds, nanos = divmod(nanoseconds, _NANOS)
    return {"seconds": seconds, "nanos": nanos}


def lb_metadata(labels: ir.Labels) -> Fields:
    """Make the metadata that subset load balancing looks at."""
    return {"filter_metadata": {"envoy.lb": struct(dict(labels))}}


def provenance(source: ir.Source) -> Fields:
    """
    Make the metadata that tells whose resource this is.

    It names the resource and the route, never a line, so that a comment changes no byte.
    """
    values = {"kind": source.kind, "namespace": source.namespace, "name": source.name}
    if source.route:
        values["route"] = source.route
    return {"filter_metadata": {"penstock": struct(values)}}


def socket_address(address: str, port: int, *, ipv4_compat: bool = False) -> Fields:
    """Make a TCP address."""
    fields: Fields = {"address": address, "port_value": port}
    if ipv4_compat:
        fields["ipv4_compat"] = True
    return {"socket_address": fields}

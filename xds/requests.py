"""What clients ask, as it comes in, and how a stream ends that asks what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from xds.discovery import parse_delta, parse_sotw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xds.discovery import Node
    from xds.services import Method

_PARSE: Final[Mapping[str, Any]] = {"sotw": parse_sotw, "delta": parse_delta}


class StreamEnd(Exception):  # noqa: N818 - an end need not be an error
    """The end of a stream, and the status that the client is told."""

    def __init__(self, reason: str, code: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def learn() -> None:
    """
    Learn the messages that clients send.

    That happens once, takes as long as to answer many requests, and nobody should wait for it.
    """
    for parse_one in _PARSE.values():
        parse_one(b"")


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

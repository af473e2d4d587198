"""
Who asks for a proxy's configuration: its Envoys, or gRPC clients that need no Envoy.

Both belong to the same proxy and get different snapshots. The server knows clients by one name, so
that of a gRPC client's snapshot is the proxy's with something behind it that no proxy can have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from xds.discovery import Node

__all__ = ["grpc_audience", "is_grpc", "is_grpc_client", "proxy_name"]

_GRPC: Final = "\ngrpc"
"""The names of proxies are texts of YAML documents, which have no control characters."""


def is_grpc_client(node: Node) -> bool:
    """Tell whether a client is a library of gRPC, such as `gRPC C-core linux` or `gRPC Go`."""
    return node.user_agent.startswith("gRPC")


def grpc_audience(proxy: str) -> str:
    """Name the gRPC clients of a proxy."""
    return proxy + _GRPC


def is_grpc(audience: str) -> bool:
    """Tell whether these are gRPC clients."""
    return audience.endswith(_GRPC)


def proxy_name(audience: str) -> str:
    """Return the proxy that clients belong to."""
    return audience.removesuffix(_GRPC)

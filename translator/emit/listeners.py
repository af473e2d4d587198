from __future__ import annotations

from typing import TYPE_CHECKING

from translator.emit.values import ADS, Fields, provenance, socket_address
from xds.messages import build, encode, pack
from xds.snapshot import Resource
from xds.types import LISTENER

if TYPE_CHECKING:
    from translator import ir

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def listener(listener: ir.Listener) -> Resource:
    """Encode a Listener; its routes come over RDS, so that an edit of routes drains nothing."""
    manager: Fields = {
        "stat_prefix": "http",
        "rds": {"config_source": ADS, "route_config_name": listener.routes},
        "normalize_path": {"value": True},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": pack(build(_ROUTER))}
        ],
    }
    # One socket for both families, as Gloo's Gateway on `::` has it.
    address = socket_address(listener.address, listener.port, ipv4_compat=listener.address == "::")
    fields: Fields = {
        "name": listener.name,
        "address": address,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": pack(build(_HCM, **manager)),
                    }
                ]
            }
        ],
    }
    if listener.source is not None:
        fields["metadata"] = provenance(listener.source)
    body = encode(build("envoy.config.listener.v3.Listener", **fields))
    return Resource.of(LISTENER, listener.name, body, requires=frozenset({listener.routes}))

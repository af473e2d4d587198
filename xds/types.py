"""The resource types that we serve, by type URL, and how they depend on each other."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LOAD_ASSIGNMENT: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTE_CONFIGURATION: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
SECRET: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - a type

ORDER: Final = (CLUSTER, LOAD_ASSIGNMENT, SECRET, LISTENER, ROUTE_CONFIGURATION)
"""
The order in which an update is sent: whatever is referred to, before what refers to it, so that no
request meets a route without a cluster or a cluster without endpoints (Envoy's xDS protocol,
"Eventual consistency considerations"). Endpoints and secrets come right behind the clusters,
because a new cluster is not used, nor its update acknowledged, before it has them.
"""

REFERS_TO: Final[Mapping[str, str]] = MappingProxyType(
    {
        CLUSTER: LOAD_ASSIGNMENT,
        LISTENER: ROUTE_CONFIGURATION,
        ROUTE_CONFIGURATION: CLUSTER,
    }
)
"""Which type the names in `Resource.requires` are of, by the type of the resource."""

COLLECTIONS: Final = frozenset({CLUSTER, LISTENER})
"""
The types that a client wants all of unless it names some. In the state-of-the-world protocol
each response of these types is the full state: what is absent is deleted.
"""

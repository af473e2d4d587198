"""
What people write, typed: Gloo's resources and the Kubernetes kinds that give endpoints.

In: parsed documents. Out: an immutable index of resources, and a diagnostic for every field that
is not as the API says. Knows nothing of routes' meaning, of proxies or of Envoy. Imports pydantic,
`parse` and `report` only.
"""

from translator.parse import Locator
from translator.resources.index import EMPTY, Index, Key
from translator.resources.indexing import PastResources, build_index, update_index
from translator.resources.kinds import KINDS, UNSUPPORTED, Kind
from translator.resources.read import DEFAULT_NAMESPACE, Reading, folder_namespace, read
from translator.resources.resource import Resource
from translator.resources.route import BrokenRoute, Route, RouteEntry
from translator.resources.specs import (
    GatewaySpec,
    RouteTableSpec,
    SettingsSpec,
    UpstreamGroupSpec,
    UpstreamSpec,
    VirtualServiceSpec,
)

__all__ = [
    "DEFAULT_NAMESPACE",
    "EMPTY",
    "KINDS",
    "UNSUPPORTED",
    "BrokenRoute",
    "GatewaySpec",
    "Index",
    "Key",
    "Kind",
    "Locator",
    "PastResources",
    "Reading",
    "Resource",
    "Route",
    "RouteEntry",
    "RouteTableSpec",
    "SettingsSpec",
    "UpstreamGroupSpec",
    "UpstreamSpec",
    "VirtualServiceSpec",
    "build_index",
    "folder_namespace",
    "read",
    "update_index",
]

"""
What a proxy is to do, in our own words: frozen, hashable, comparable values.

In: nothing. Out: the dataclasses that `lower` builds and `emit` encodes. The IR holds no position
and no comment of the author's text, so that an edit without a meaning changes nothing. It knows
neither the resources it came from nor Envoy's messages.
"""

from translator.ir.actions import (
    Action,
    Destination,
    DirectResponse,
    Forward,
    HeaderEdits,
    HeaderValue,
    Redirect,
    RetryPolicy,
    Split,
    WeightedDestination,
)
from translator.ir.clusters import (
    Cluster,
    Discovery,
    DnsHosts,
    Endpoint,
    EndpointDiscovery,
    FallbackPolicy,
    Labels,
    LoadAssignment,
    Pipe,
    StaticHosts,
    Subsets,
    SubsetSelector,
)
from translator.ir.matches import HeaderMatch, Match, PathKind, PathMatch, QueryMatch, ValueKind
from translator.ir.proxy import Listener, Proxy, RouteConfiguration, VirtualHost
from translator.ir.routes import Options, Route, Source

__all__ = [
    "Action",
    "Cluster",
    "Destination",
    "DirectResponse",
    "Discovery",
    "DnsHosts",
    "Endpoint",
    "EndpointDiscovery",
    "FallbackPolicy",
    "Forward",
    "HeaderEdits",
    "HeaderMatch",
    "HeaderValue",
    "Labels",
    "Listener",
    "LoadAssignment",
    "Match",
    "Options",
    "PathKind",
    "PathMatch",
    "Pipe",
    "Proxy",
    "QueryMatch",
    "Redirect",
    "RetryPolicy",
    "Route",
    "RouteConfiguration",
    "Source",
    "Split",
    "StaticHosts",
    "SubsetSelector",
    "Subsets",
    "ValueKind",
    "VirtualHost",
    "WeightedDestination",
]

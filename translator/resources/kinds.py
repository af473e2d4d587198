"""Which kinds there are, and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from translator.report import Rule, closest, quote, rules
from translator.resources.core import Endpoints, EndpointSlice, Pod, Service
from translator.resources.specs import (
    GatewaySpec,
    RouteTableSpec,
    SettingsSpec,
    UpstreamGroupSpec,
    UpstreamSpec,
    VirtualServiceSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator.resources.base import Model

_GATEWAY = "gateway.solo.io/v1"
_GLOO = "gloo.solo.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind that Penstock reads."""

    api_version: str
    """Its `apiVersion`."""
    name: str
    """Its `kind`."""
    model: type[Model]
    """What it is read as."""
    routes: tuple[str, ...] | None = None
    """Where in the spec its routes are, each of which can break on its own."""
    core: bool = False
    """Whether it is one of Kubernetes' own: read as a whole and without regard to other fields."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                api_version=_GATEWAY,
                name="VirtualService",
                model=VirtualServiceSpec,
                routes=("virtualHost", "routes"),
            ),
            Kind(api_version=_GATEWAY, name="RouteTable", model=RouteTableSpec, routes=("routes",)),
            Kind(api_version=_GATEWAY, name="Gateway", model=GatewaySpec),
            Kind(api_version=_GLOO, name="Upstream", model=UpstreamSpec),
            Kind(api_version=_GLOO, name="UpstreamGroup", model=UpstreamGroupSpec),
            Kind(api_version=_GLOO, name="Settings", model=SettingsSpec),
            Kind(api_version="v1", name="Service", model=Service, core=True),
            Kind(api_version="v1", name="Endpoints", model=Endpoints, core=True),
            Kind(api_version="v1", name="Pod", model=Pod, core=True),
            Kind(
                api_version="discovery.k8s.io/v1",
                name="EndpointSlice",
                model=EndpointSlice,
                core=True,
            ),
        )
    }
)
"""The kinds that Penstock reads, by name; no two of them share one."""

UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "RouteOption": _GATEWAY,
        "VirtualHostOption": _GATEWAY,
        "MatchableHttpGateway": _GATEWAY,
        "MatchableTcpGateway": _GATEWAY,
        "Proxy": _GLOO,
        "AuthConfig": "enterprise.gloo.solo.io/v1",
        "RateLimitConfig": "ratelimit.solo.io/v1alpha1",
        "GraphQLApi": "graphql.gloo.solo.io/v1beta1",
    }
)
"""The kinds of Gloo that Penstock knows and does not support, each with its `apiVersion`."""

_VERSIONS = frozenset({kind.api_version for kind in KINDS.values()} | set(UNSUPPORTED.values()))
_OUR_GROUPS = frozenset(
    version.partition("/")[0] for version in _VERSIONS if version.endswith(".io/v1")
) - {"discovery.k8s.io"} | {version.partition("/")[0] for version in UNSUPPORTED.values()}
_BUILT_IN_GROUPS = frozenset({"apps", "autoscaling", "batch", "extensions", "policy"})
"""The groups of Kubernetes without a dot."""
_CORE_KINDS = frozenset(
    {
        "Binding",
        "ConfigMap",
        "Event",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodTemplate",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "ServiceAccount",
    }
)
"""The other kinds of `v1`; none of them is a misspelt one of ours."""


class NoKind(NamedTuple):
    """Why a document is not read as any kind."""

    rule: Rule
    key: str
    """The field to blame: `kind` or `apiVersion`."""
    message: str
    advice: str
    likely: str = ""
    """The kind that is most likely meant, or empty."""


def find_kind(api_version: str, name: str) -> Kind | NoKind:
    """Find the kind of a document, or say what is wrong with it."""
    kind = KINDS.get(name)
    if kind is not None and kind.api_version == api_version:
        return kind
    if UNSUPPORTED.get(name) == api_version:
        return NoKind(
            rules.UNSUPPORTED_KIND,
            "kind",
            f"kind {quote(name)} of Gloo is not supported",
            "remove it",
        )
    if not _is_ours(api_version, name):
        return NoKind(
            rules.UNUSED_KIND,
            "kind",
            f"kind {quote(name)} of {quote(api_version)} is not used by Penstock and is ignored",
            "",
        )
    likely = name if name in KINDS or name in UNSUPPORTED else closest(name, KINDS)
    if likely is None:
        return NoKind(
            rules.UNKNOWN_KIND,
            "kind",
            f"there is no kind {quote(name)} in {quote(api_version)}",
            "",
        )
    version = KINDS[likely].api_version if likely in KINDS else UNSUPPORTED[likely]
    if version == api_version:
        message, advice = f"there is no kind {quote(name)}", f"did you mean '{likely}'?"
        return NoKind(rules.UNKNOWN_KIND, "kind", message, advice, likely)
    if name == likely:
        message = f"there is no kind {quote(name)} in {quote(api_version)}"
        return NoKind(
            rules.UNKNOWN_KIND, "apiVersion", message, f"write 'apiVersion: {version}'", likely
        )
    return NoKind(
        rules.UNKNOWN_KIND,
        "kind",
        f"there is no kind {quote(name)} in {quote(api_version)}",
        f"did you mean '{likely}' of {version}?",
        likely,
    )


def _is_ours(api_version: str, name: str) -> bool:
    """
    Say whether a document with this type that does not exist is meant for Penstock.

    Foreign kinds in a folder of manifests are normal, and so are foreign kinds with the names of
    ours, such as Istio's VirtualService; only what can hardly be anything else is a mistake.
    """
    group, slash, _ = api_version.rpartition("/")
    if group in _OUR_GROUPS:
        return True
    if group == "discovery.k8s.io":
        return name in KINDS
    if "." in group:
        near = closest(group, _OUR_GROUPS)
        return near is not None and abs(len(near) - len(group)) <= 2 and _resembles(name)
    if slash and group in _BUILT_IN_GROUPS:
        return name in KINDS and not KINDS[name].core
    return name not in _CORE_KINDS and _resembles(name)


def _resembles(name: str) -> bool:
    return name in KINDS or name in UNSUPPORTED or closest(name, KINDS) is not None

"""The specs of Gloo's resources, other than routes."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from translator.resources.base import (
    Choice,
    Flag,
    Integer,
    Model,
    Port,
    Ref,
    Text,
    Texts,
    UInt32,
    message,
    no_texts,
)
from translator.resources.delegation import Expression
from translator.resources.destination import WeightedDestination
from translator.resources.route import RouteEntry
from translator.resources.sharing import shared


@message
class VirtualHost(Model):
    """The routes of some domains."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"options": "", "optionsConfigRefs": ""}
    )

    domains: tuple[Text, ...] = ()
    """The domains as in Envoy: `app.example.com`, `*.example.com`, `app.*` or `*`; none is `*`."""
    routes: tuple[RouteEntry, ...] = ()
    """The routes, in the order in which they are tried."""


@message
class VirtualServiceSpec(Model):
    """A domain and its routes; an ops team owns it."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"sslConfig": ""})

    virtual_host: VirtualHost | None = None
    """The domains and routes."""
    display_name: Text = ""
    """A name for people."""


@message
class RouteTableSpec(Model):
    """Routes that a virtual service or another table delegates to; a team owns it."""

    routes: tuple[RouteEntry, ...] = ()
    """The routes, in the order in which they are tried."""
    weight: Annotated[Integer, Field(ge=-(2**31), le=2**31 - 1)] = 0
    """The place among tables that one selector chooses; lower comes first."""


@message
class ServiceExpressions(Model):
    """Conditions on the labels of virtual services."""

    expressions: tuple[Expression, ...] = ()
    """Conditions that must all hold."""


@message
class HttpGateway(Model):
    """Which virtual services a gateway serves."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"options": ""})

    virtual_services: tuple[Ref, ...] = ()
    """These; all that fit the other fields if empty."""
    virtual_service_selector: Texts = Field(default_factory=no_texts)
    """Those with these labels."""
    virtual_service_expressions: ServiceExpressions | None = None
    """Those whose labels fulfil all of these; wins over the selector."""
    virtual_service_namespaces: tuple[Text, ...] = ()
    """Restricts selectors to these namespaces; `*` is all."""


@message
class GatewaySpec(Choice):
    """An address on which proxies take requests."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("httpGateway", "tcpGateway", "hybridGateway"),
    )
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "tcpGateway": "",
            "hybridGateway": "",
            "options": "",
            "routeOptions": "",
            "useProxyProto": "",
            "ssl": "",
        }
    )

    bind_address: Annotated[Text, Field(min_length=1)] = "::"
    """The IP address to listen on; `::` takes IPv4 too."""
    bind_port: Port = 8080
    """The TCP port to listen on."""
    http_gateway: HttpGateway | None = None
    """Which virtual services it serves."""
    proxy_names: tuple[Annotated[Text, Field(min_length=1)], ...] = ("gateway-proxy",)
    """The proxies that open this listener."""


class SubsetFallback(StrEnum):
    """What happens to a request whose subset has no endpoint."""

    ANY_ENDPOINT = "ANY_ENDPOINT"
    DEFAULT_SUBSET = "DEFAULT_SUBSET"
    NO_FALLBACK = "NO_FALLBACK"


@message
class SubsetSelectorSpec(Model):
    """One way to divide the endpoints."""

    keys: Annotated[tuple[Annotated[Text, Field(min_length=1)], ...], Field(min_length=1)]
    """The labels to divide by."""
    single_host_per_subset: Flag = False
    """Whether each subset has exactly one endpoint."""


@message
class DefaultSubset(Model):
    """The subset to fall back to."""

    values: Texts = Field(default_factory=no_texts)
    """Its labels."""


@message
class SubsetSpec(Model):
    """How the endpoints are divided."""

    selectors: tuple[SubsetSelectorSpec, ...] = ()
    """The ways to divide them."""
    fallback_policy: SubsetFallback = SubsetFallback.ANY_ENDPOINT
    """What happens to a request whose subset has no endpoint."""
    default_subset: DefaultSubset | None = None
    """The subset that DEFAULT_SUBSET falls back to."""


@message
class KubeUpstream(Model):
    """The endpoints of a Kubernetes Service."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"serviceSpec": ""})

    service_name: Annotated[Text, Field(min_length=1)]
    """The Service."""
    service_namespace: Text = ""
    """Its namespace; that of the Upstream if empty."""
    service_port: Port
    """The port of the Service."""
    selector: Texts = Field(default_factory=no_texts)
    """Restricts the endpoints to pods with these labels."""
    subset_spec: Annotated[SubsetSpec, shared()] | None = None
    """How the endpoints are divided."""


@message
class StaticHost(Model):
    """One address."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"sniAddr": "", "healthCheckConfig": ""}
    )

    addr: Annotated[Text, Field(min_length=1)]
    """An IP address, or a name that Envoy resolves."""
    port: Port
    """The TCP port."""
    load_balancing_weight: Annotated[UInt32, Field(ge=1)] | None = None
    """The share among the hosts; equal if unset."""
    metadata: Mapping[Text, Texts] = Field(default_factory=dict)
    """Labels for subsets, under the key `envoy.lb`."""


@message
class StaticUpstream(Model):
    """A list of addresses."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"useTls": "", "autoSniRewrite": "", "serviceSpec": ""}
    )

    hosts: tuple[StaticHost, ...]
    """The addresses."""
    subset_spec: Annotated[SubsetSpec, shared()] | None = None
    """How the hosts are divided (Penstock's own; Gloo has it for kube only)."""


@message
class PipeUpstream(Model):
    """A Unix socket."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"serviceSpec": ""})

    path: Annotated[Text, Field(min_length=1)]
    """The socket's path; `@name` is an abstract one."""


@message
class UpstreamSpec(Choice):
    """A service that answers requests."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("kube", "static", "pipe", "aws", "awsEc2", "azure", "consul", "gcp", "ai"),
    )
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = EXCLUSIVE
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "ai",
                "aws",
                "awsEc2",
                "azure",
                "circuitBreakers",
                "connectionConfig",
                "consul",
                "discoveryMetadata",
                "disableIstioAutoMtls",
                "dnsRefreshRate",
                "failover",
                "gcp",
                "healthChecks",
                "httpConnectHeaders",
                "httpConnectSslConfig",
                "httpProxyHostname",
                "ignoreHealthOnHostRemoval",
                "initialConnectionWindowSize",
                "initialStreamWindowSize",
                "loadBalancerConfig",
                "maxConcurrentStreams",
                "outlierDetection",
                "overrideStreamErrorOnInvalidHttpMessage",
                "preconnectPolicy",
                "protocolSelection",
                "proxyProtocolVersion",
                "respectDnsTtl",
                "sslConfig",
                "useHttp2",
            ),
            "",
        )
    )

    kube: KubeUpstream | None = None
    """The endpoints of a Kubernetes Service."""
    static: StaticUpstream | None = None
    """A list of addresses."""
    pipe: PipeUpstream | None = None
    """A Unix socket."""


@message
class UpstreamGroupSpec(Model):
    """Weighted destinations that several routes share."""

    destinations: tuple[WeightedDestination, ...] = ()
    """The shares; an empty upstream namespace is that of the group."""


@message
class InvalidConfigPolicy(Model):
    """What is served in the place of invalid routes; hold all of them if nothing is set."""

    replace_invalid_routes: Flag = False
    """Whether an invalid route answers with an error while all others are served as written."""
    keep_last_good_routes: Flag = False
    """Whether an invalid route keeps its own last good version, or is replaced if it had none."""
    invalid_route_response_code: Integer | None = None
    """The status that a replaced route answers, 404 if unset."""
    invalid_route_response_body: Text | None = None
    """The body that a replaced route answers."""


@message
class GlooSettings(Model):
    """Settings of the translation."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "awsOptions",
                "circuitBreakers",
                "disableGrpcWeb",
                "disableKubernetesDestinations",
                "disableProxyGarbageCollection",
                "enableRestEds",
                "endpointsWarmingTimeout",
                "failoverUpstreamDnsPollingInterval",
                "istioOptions",
                "logTransformationRequestResponseInfo",
                "proxyDebugBindAddr",
                "regexMaxProgramSize",
                "removeUnusedFilters",
                "restXdsBindAddr",
                "transformationEscapeCharacters",
                "validationBindAddr",
                "validationServerGrpcMaxSizeBytes",
                "xdsBindAddr",
            ),
            "",
        )
    )

    invalid_config_policy: InvalidConfigPolicy | None = None
    """What is served in the place of invalid routes."""


@message
class SettingsSpec(Model):
    """Settings of the control plane; those called `gloo-system/default` count."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "consulKvSource",
                "consulKvArtifactSource",
                "devMode",
                "directoryArtifactSource",
                "directoryConfigSource",
                "directorySecretSource",
                "discovery",
                "discoveryNamespace",
                "extauth",
                "gateway",
                "kubernetesArtifactSource",
                "kubernetesConfigSource",
                "kubernetesSecretSource",
                "linkerd",
                "observabilityOptions",
                "ratelimit",
                "ratelimitServer",
                "refreshRate",
                "upstreamOptions",
                "vaultSecretSource",
                "watchNamespaceSelectors",
                "watchNamespaces",
            ),
            "",
        )
    )

    gloo: GlooSettings | None = None
    """Settings of the translation."""

"""The Route message, shared by VirtualService and RouteTable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import Field

from translator.resources.base import (
    Choice,
    Duration,
    Flag,
    Integer,
    Model,
    Port,
    Ref,
    Text,
    UInt32,
)


class HeaderMatcher(Model):
    """A condition on a header."""

    name: Annotated[Text, Field(min_length=1)]
    """The header's name, in any case."""
    value: Text = ""
    """The value to compare with; empty means that the header must be present."""
    regex: Flag = False
    """Whether the value is an RE2 expression that must match the whole header value."""
    invert_match: Flag = False
    """Whether the request must not fulfil the condition."""


class QueryParameterMatcher(Model):
    """A condition on a query parameter."""

    name: Annotated[Text, Field(min_length=1)]
    """The parameter's name."""
    value: Text = ""
    """The value to compare with; empty means that the parameter must be present."""
    regex: Flag = False
    """Whether the value is an RE2 expression that must match the whole parameter value."""


class Matcher(Choice):
    """What a request must look like; all conditions must hold."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("prefix", "exact", "regex", "connectMatcher"),
    )
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"connectMatcher": ""})

    prefix: Text | None = None
    """The beginning of the path, as a plain string."""
    exact: Text | None = None
    """The whole path."""
    regex: Text | None = None
    """An RE2 expression that must match the whole path."""
    case_sensitive: Flag | None = None
    """Whether case matters in the path; true if unset."""
    headers: tuple[HeaderMatcher, ...] = ()
    """Conditions on headers."""
    query_parameters: tuple[QueryParameterMatcher, ...] = ()
    """Conditions on query parameters."""
    methods: tuple[Text, ...] = ()
    """The methods that match; all if empty."""


class Subset(Model):
    """A part of an upstream's endpoints."""

    values: Mapping[Text, Text] = {}
    """Labels that the endpoints must have; the keys must be those of one subset selector."""


class Destination(Model):
    """Where requests go."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "kube": "define an Upstream of type kube and refer to it",
            "consul": "",
            "destinationSpec": "",
        }
    )

    upstream: Ref
    """The upstream; an empty namespace is that of the resource that holds the route."""
    subset: Subset | None = None
    """Restricts the destination to a part of the upstream's endpoints."""


class Header(Model):
    """A header's name and value."""

    key: Annotated[Text, Field(min_length=1)]
    """The header's name."""
    value: Text = ""
    """The header's value; Envoy's `%…%` operators work."""


class HeaderValueOption(Model):
    """A header to add."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"headerSecretRef": ""})

    header: Header
    """The header."""
    append: Flag = True
    """Whether to add beside a header of this name, or to overwrite it."""


class HeaderManipulation(Model):
    """Changes to headers."""

    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    """Headers to add to the request."""
    request_headers_to_remove: tuple[Text, ...] = ()
    """Names of headers to remove from the request."""
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    """Headers to add to the response."""
    response_headers_to_remove: tuple[Text, ...] = ()
    """Names of headers to remove from the response."""


class WeightedDestinationOptions(Model):
    """Options of one share."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "transformations",
                "stagedTransformations",
                "extauth",
                "bufferPerRoute",
                "csrf",
                "extensions",
            ),
            "",
        )
    )

    header_manipulation: HeaderManipulation | None = None
    """Changes to headers of requests that take this share."""


class WeightedDestination(Model):
    """One share of the requests."""

    destination: Destination
    """Where this share goes."""
    weight: UInt32 = 0
    """The share, relative to the sum of all weights."""
    options: WeightedDestinationOptions | None = None
    """Options of this share."""


class MultiDestination(Model):
    """Several destinations with weights."""

    destinations: tuple[WeightedDestination, ...]
    """The shares."""


class RouteAction(Choice):
    """Forward the request."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("single", "multi", "upstreamGroup", "clusterHeader", "dynamicForwardProxy"),
    )
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = EXCLUSIVE
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"clusterHeader": "", "dynamicForwardProxy": ""}
    )

    single: Destination | None = None
    """One destination."""
    multi: MultiDestination | None = None
    """Several destinations with weights."""
    upstream_group: Ref | None = None
    """An UpstreamGroup; an empty namespace is that of the resource that holds the route."""


class RedirectCode(StrEnum):
    """The status of a redirect."""

    MOVED_PERMANENTLY = "MOVED_PERMANENTLY"
    FOUND = "FOUND"
    SEE_OTHER = "SEE_OTHER"
    TEMPORARY_REDIRECT = "TEMPORARY_REDIRECT"
    PERMANENT_REDIRECT = "PERMANENT_REDIRECT"


class RegexPattern(Model):
    """A regular expression."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"googleRe2": ""})

    regex: Annotated[Text, Field(min_length=1)]
    """An RE2 expression."""


class RegexRewrite(Model):
    """A replacement by regular expression."""

    pattern: RegexPattern
    """What to replace."""
    substitution: Text = ""
    """What to put in its place; `\\1` refers to a group."""


class RedirectAction(Choice):
    """Answer with a redirect."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("pathRedirect", "prefixRewrite", "regexRewrite"),
    )

    host_redirect: Text | None = None
    """The host to redirect to."""
    path_redirect: Text | None = None
    """The path to redirect to."""
    prefix_rewrite: Text | None = None
    """Replaces the matched prefix in the path."""
    regex_rewrite: RegexRewrite | None = None
    """Replaces parts of the path."""
    response_code: RedirectCode = RedirectCode.MOVED_PERMANENTLY
    """The status of the answer."""
    https_redirect: Flag = False
    """Whether to redirect to https."""
    strip_query: Flag = False
    """Whether to drop the query string."""
    port_redirect: Port | None = None
    """The port to redirect to."""


class DirectResponseAction(Model):
    """Answer without a backend."""

    status: Annotated[Integer, Field(ge=200, le=599)]
    """The status of the answer."""
    body: Text = ""
    """The body of the answer."""


class SelectorOperator(StrEnum):
    """How a label is compared, as in Kubernetes."""

    EQUALS = "Equals"
    DOUBLE_EQUALS = "DoubleEquals"
    NOT_EQUALS = "NotEquals"
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER_THAN = "GreaterThan"
    LESS_THAN = "LessThan"


class Expression(Model):
    """A condition on a label."""

    key: Annotated[Text, Field(min_length=1)]
    """The label."""
    operator: SelectorOperator
    """The comparison."""
    values: tuple[Text, ...] = ()
    """What to compare with."""


class RouteTableSelector(Model):
    """Chooses route tables."""

    namespaces: tuple[Text, ...] = ()
    """Namespaces to look in; `*` is all; empty is that of the delegating resource."""
    labels: Mapping[Text, Text] = {}
    """Labels that a table must have."""
    expressions: tuple[Expression, ...] = ()
    """Conditions on labels that must all hold."""


class DelegateAction(Choice):
    """Leave the routes to route tables."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("ref", "selector", "name"),
        ("ref", "namespace"),
        ("selector", "namespace"),
    )
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = (("ref", "selector", "name"),)

    ref: Ref | None = None
    """One table."""
    selector: RouteTableSelector | None = None
    """All tables that fit."""
    name: Text | None = None
    """Deprecated form of `ref.name`."""
    namespace: Text | None = None
    """Deprecated form of `ref.namespace`."""


class RetryPolicy(Model):
    """When to try again."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "retryBackOff",
                "previousPriorities",
                "retriableStatusCodes",
                "rateLimitedRetryBackOff",
            ),
            "",
        )
    )

    retry_on: Annotated[Text, Field(min_length=1)]
    """Envoy's conditions, separated by commas, such as `5xx,reset`."""
    num_retries: UInt32 = 0
    """How often to try again; 0 means 1."""
    per_try_timeout: Duration | None = None
    """The time limit of each try."""


class RouteOptions(Model):
    """What else happens to a request."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "ai",
                "appendXForwardedHost",
                "autoHostRewrite",
                "bufferPerRoute",
                "cors",
                "csrf",
                "dlp",
                "envoyMetadata",
                "extProc",
                "extProcEarly",
                "extProcLate",
                "extauth",
                "extensions",
                "faults",
                "hostRewriteHeader",
                "hostRewritePathRegex",
                "idleTimeout",
                "jwt",
                "jwtProvidersStaged",
                "jwtStaged",
                "lbHash",
                "maxStreamDuration",
                "rateLimitConfigs",
                "rateLimitEarlyConfigs",
                "rateLimitRegularConfigs",
                "ratelimit",
                "ratelimitBasic",
                "ratelimitEarly",
                "ratelimitRegular",
                "rbac",
                "regexRewrite",
                "shadowing",
                "stagedTransformations",
                "tracing",
                "transformations",
                "upgrades",
                "waf",
            ),
            "",
        )
    )

    prefix_rewrite: Text | None = None
    """Replaces the matched prefix; the empty string strips it."""
    host_rewrite: Text | None = None
    """Replaces the Host header."""
    timeout: Duration | None = None
    """The time limit of a request with all its tries; Envoy's 15 s if unset, `0s` is none."""
    retries: RetryPolicy | None = None
    """When to try again."""
    header_manipulation: HeaderManipulation | None = None
    """Changes to headers."""


class Route(Choice):
    """Matchers and what to do with the requests that match."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("routeAction", "redirectAction", "directResponseAction", "delegateAction"),
    )
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"optionsConfigRefs": "write the options into the route"}
    )

    name: Text = ""
    """A name for logs, status and metrics; also how a route is recognised after an edit."""
    matchers: tuple[Matcher, ...] = ()
    """Alternatives, one of which must match; none means all paths."""
    inheritable_matchers: Flag | None = None
    """Whether routes below inherit headers, methods and query parameters."""
    inheritable_path_matchers: Flag | None = None
    """Whether routes below inherit the path."""
    route_action: RouteAction | None = None
    """Forward the request."""
    redirect_action: RedirectAction | None = None
    """Answer with a redirect."""
    direct_response_action: DirectResponseAction | None = None
    """Answer without a backend."""
    delegate_action: DelegateAction | None = None
    """Leave the routes to route tables."""
    options: RouteOptions | None = None
    """What else happens to a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRoute:
    """A route whose fields are not as the API says, in its place among the others."""

    name: str
    """The name of the route, or empty."""
    matchers: tuple[Matcher, ...] | None
    """The matchers; None if they are broken themselves, empty for a route without any."""
    codes: tuple[str, ...]
    """The codes of the findings that broke it, such as `PEN201`; sorted, each once."""
    delegates: bool
    """Whether it has a `delegateAction`, right or wrong."""


if TYPE_CHECKING:
    RouteEntry: TypeAlias = Route | BrokenRoute
    """An entry in a list of routes."""
else:
    # Pydantic reads routes one by one (see `read`), and people write no BrokenRoute.
    RouteEntry = Route

"""What else happens to a request on a route."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from translator.resources.base import (
    Duration,
    Flag,
    Model,
    Text,
    UInt32,
    message,
)


@message
class Header(Model):
    """A header's name and value."""

    key: Annotated[Text, Field(min_length=1)]
    """The header's name."""
    value: Text = ""
    """The header's value; Envoy's `%…%` operators work."""


@message
class HeaderValueOption(Model):
    """A header to add."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"headerSecretRef": ""})

    header: Header
    """The header."""
    append: Flag = True
    """Whether to add beside a header of this name, or to overwrite it."""


@message
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


@message
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


@message
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

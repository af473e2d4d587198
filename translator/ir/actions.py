from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from translator.ir.clusters import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValue:
    """A header to set."""

    name: str
    value: str
    append: bool = True
    """Whether to add beside a header of this name, or to overwrite it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits:
    """Changes to the headers of requests and responses."""

    request_add: tuple[HeaderValue, ...] = ()
    request_remove: tuple[str, ...] = ()
    response_add: tuple[HeaderValue, ...] = ()
    response_remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a request goes."""

    cluster: str
    subset: Labels = ()
    """The endpoints with these labels only; all if empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Send every request to one destination."""

    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedDestination:
    """One share of a split."""

    destination: Destination
    weight: int
    """The share, relative to the sum of all; 0 to 2³² - 1."""
    headers: HeaderEdits = HeaderEdits()
    faults: tuple[str, ...] = ()
    """The codes of the mistakes that make this share invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Distribute the requests by weight."""

    members: tuple[WeightedDestination, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Answer with a redirect (Envoy `RedirectAction`)."""

    host: str | None = None
    path: str | None = None
    prefix_rewrite: str | None = None
    regex_rewrite: tuple[str, str] | None = None
    """An RE2 expression and its substitution."""
    code: int = 301
    https: bool = False
    strip_query: bool = False
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectResponse:
    """Answer without a backend."""

    status: int
    body: str = ""


Action: TypeAlias = Forward | Split | Redirect | DirectResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how often a request is tried again (Envoy `RetryPolicy`)."""

    retry_on: str
    num_retries: int = 1
    per_try_timeout: int | None = None
    """Nanoseconds."""

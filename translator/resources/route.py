"""The Route message, shared by VirtualService and RouteTable."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from translator.resources.answer import DirectResponseAction, RedirectAction
from translator.resources.base import (
    Choice,
    Flag,
    Text,
    message,
)
from translator.resources.delegation import DelegateAction
from translator.resources.destination import RouteAction
from translator.resources.matcher import Matcher
from translator.resources.options import RouteOptions
from translator.resources.sharing import shared


@message
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
    route_action: Annotated[RouteAction, shared()] | None = None
    """Forward the request."""
    redirect_action: RedirectAction | None = None
    """Answer with a redirect."""
    direct_response_action: DirectResponseAction | None = None
    """Answer without a backend."""
    delegate_action: DelegateAction | None = None
    """Leave the routes to route tables."""
    options: Annotated[RouteOptions, shared()] | None = None
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

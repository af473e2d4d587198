from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from translator.emit.route import encode_route
from translator.emit.routes import DEFAULT_MAX_BODY, body_limit, body_sizes
from xds.messages import build, encode, field, parse
from xds.resource import Part, Resource
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from translator import ir

TRIAL_DOMAIN: Final = "trial.penstock.invalid"
"""Nobody can own it (RFC 6761), so no request finds its way to the routes that are tried out."""

_PACKAGE: Final = "envoy.config.route.v3"


def trial(name: str, base: Resource | None, routes: Iterable[ir.Route]) -> Resource:
    """
    Encode a route configuration that tells whether Envoy takes some routes.

    It does what an accepted one does, and has one more virtual host, which no request reaches:
    Envoy looks at each route of it all the same. So trying out changes no traffic.

    Args:
        name: The name of the route configuration.
        base: The last one that was accepted; None if none was.
        routes: What is to be tried out.
    """
    tried = tuple(routes)
    host = encode(
        build(f"{_PACKAGE}.VirtualHost", name=TRIAL_DOMAIN, domains=[TRIAL_DOMAIN])
    ) + b"".join(field(3, encode_route(route)) for route in tried)
    added = field(2, host)
    if base is None:
        head = encode(build(f"{_PACKAGE}.RouteConfiguration", name=name))
        before: tuple[Part, ...] = (Part.of(head),)
    else:
        before = base.parts or (Part.of(base.body, requires=base.requires),)
    largest = max(body_sizes(tried), default=0)
    if largest > DEFAULT_MAX_BODY:
        # What is not about a virtual host is in the first part.
        accepted: Any = parse(f"{_PACKAGE}.RouteConfiguration", b"".join(before[0].chunks))
        added += body_limit(max(largest, accepted.max_direct_response_body_size_bytes.value))
    return Resource.of_parts(ROUTE_CONFIGURATION, name, (*before, Part.of(added)))

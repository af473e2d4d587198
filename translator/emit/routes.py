from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import re2

from translator.emit.matches import route_match
from translator.emit.values import Fields, duration, lb_metadata, provenance
from translator.ir import DirectResponse, Forward, PathKind, Redirect, Split
from xds.messages import build, encode, field
from xds.snapshot import Resource
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translator import ir

_PACKAGE = "envoy.config.route.v3"
_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
DEFAULT_MAX_BODY = 4096
"""Envoy refuses a longer direct response unless the route configuration raises the limit
(`max_direct_response_body_size_bytes`)."""


def route_configuration(configuration: ir.RouteConfiguration) -> Resource:
    """Encode a RouteConfiguration."""
    fields: Fields = {"name": configuration.name}
    routes = (route for host in configuration.virtual_hosts for route in host.routes)
    largest = max(body_sizes(routes), default=0)
    if largest > DEFAULT_MAX_BODY:
        fields["max_direct_response_body_size_bytes"] = {"value": largest}
    body = encode(build(f"{_PACKAGE}.RouteConfiguration", **fields))
    hosts = (field(2, _virtual_host(host)) for host in configuration.virtual_hosts)
    return Resource.of(
        ROUTE_CONFIGURATION,
        configuration.name,
        body + b"".join(hosts),
        requires=frozenset(_clusters(configuration)),
    )


def _virtual_host(host: ir.VirtualHost) -> bytes:
    fields: Fields = {
        "name": host.name,
        "domains": list(host.domains),
        "metadata": provenance(host.source),
    }
    body = encode(build(f"{_PACKAGE}.VirtualHost", **fields))
    return body + b"".join(field(3, encode_route(route)) for route in host.routes)


def encode_route(route: ir.Route) -> bytes:
    """
    Encode a Route.

    Raises:
        ValueError: If the route is not valid; a policy decides about those before they get here.
    """
    if not route.valid or route.action is None:
        raise ValueError(f"the invalid route {route.name} cannot be served")
    fields: Fields = {
        "name": route.name,
        "match": route_match(route.match),
        "metadata": provenance(route.source),
        **_header_edits(route.options.headers),
    }
    action = route.action
    match action:
        case Forward() | Split():
            fields["route"] = {**_target(action), **_forwarding(route)}
        case Redirect():
            fields["redirect"] = _redirect(action)
        case DirectResponse():
            response: Fields = {"status": action.status}
            if action.body:
                response["body"] = {"inline_string": action.body}
            fields["direct_response"] = response
        case _:
            assert_never(action)
    return encode(build(f"{_PACKAGE}.Route", **fields))


def _target(action: Forward | Split) -> Fields:
    match action:
        case Forward(destination=destination):
            fields: Fields = {"cluster": destination.cluster}
            if destination.subset:
                fields["metadata_match"] = lb_metadata(destination.subset)
            return fields
        case Split(members=members):
            return {"weighted_clusters": {"clusters": [_member(member) for member in members]}}


def _member(member: ir.WeightedDestination) -> Fields:
    fields: Fields = {
        "name": member.destination.cluster,
        "weight": {"value": member.weight},
        **_header_edits(member.headers),
    }
    if member.destination.subset:
        fields["metadata_match"] = lb_metadata(member.destination.subset)
    return fields


def _forwarding(route: ir.Route) -> Fields:
    options = route.options
    fields: Fields = {}
    if options.prefix_rewrite:
        fields["prefix_rewrite"] = options.prefix_rewrite
    elif options.prefix_rewrite is not None:
        fields.update(_strip(route.match.path))
    if options.host_rewrite is not None:
        fields["host_rewrite_literal"] = options.host_rewrite
    if options.timeout is not None:
        fields["timeout"] = duration(options.timeout)
    if options.retries is not None:
        retries: Fields = {
            "retry_on": options.retries.retry_on,
            "num_retries": {"value": options.retries.num_retries},
        }
        if options.retries.per_try_timeout is not None:
            retries["per_try_timeout"] = duration(options.retries.per_try_timeout)
        fields["retry_policy"] = retries
    return fields


def _strip(path: ir.PathMatch) -> Fields:
    """
    Remove what a path matched, and leave one slash.

    Envoy takes an empty `prefix_rewrite` for none, and `/` would turn `/echo/a` into `//a`.
    """
    match path.kind:
        case PathKind.PREFIX:
            case = "" if path.case_sensitive else "(?i)"
            regex = f"^{case}{re2.escape(path.value.rstrip('/'))}/?"
            return {"regex_rewrite": {"pattern": {"regex": regex}, "substitution": "/"}}
        case PathKind.EXACT | PathKind.REGEX:
            return {"prefix_rewrite": "/"}


def _redirect(action: Redirect) -> Fields:
    fields: Fields = {
        "response_code": _REDIRECT_CODES[action.code],
        "strip_query": action.strip_query,
    }
    if action.https:
        fields["https_redirect"] = True
    if action.host is not None:
        fields["host_redirect"] = action.host
    if action.port is not None:
        fields["port_redirect"] = action.port
    if action.path is not None:
        fields["path_redirect"] = action.path
    if action.prefix_rewrite is not None:
        fields["prefix_rewrite"] = action.prefix_rewrite
    if action.regex_rewrite is not None:
        regex, substitution = action.regex_rewrite
        fields["regex_rewrite"] = {"pattern": {"regex": regex}, "substitution": substitution}
    return fields


def _header_edits(edits: ir.HeaderEdits) -> Fields:
    fields: Fields = {
        "request_headers_to_add": [_header_value(value) for value in edits.request_add],
        "request_headers_to_remove": list(edits.request_remove),
        "response_headers_to_add": [_header_value(value) for value in edits.response_add],
        "response_headers_to_remove": list(edits.response_remove),
    }
    return {name: value for name, value in fields.items() if value}


def _header_value(value: ir.HeaderValue) -> Fields:
    action = "APPEND_IF_EXISTS_OR_ADD" if value.append else "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"header": {"key": value.name, "value": value.value}, "append_action": action}


def _clusters(configuration: ir.RouteConfiguration) -> Iterator[str]:
    for host in configuration.virtual_hosts:
        for route in host.routes:
            match route.action:
                case Forward(destination=destination):
                    yield destination.cluster
                case Split(members=members):
                    yield from (member.destination.cluster for member in members)


def body_sizes(routes: Iterable[ir.Route]) -> Iterator[int]:
    """Yield the sizes of all direct responses, in bytes."""
    for route in routes:
        if isinstance(route.action, DirectResponse):
            yield len(route.action.body.encode())

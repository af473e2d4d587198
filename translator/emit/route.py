from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, assert_never

import re2

from translator.emit.matches import encode_match
from translator.emit.values import Fields, duration, encode_provenance, lb_metadata
from translator.ir import DirectResponse, Forward, HeaderEdits, PathKind, Redirect, Split
from xds.messages import build, encode, field

if TYPE_CHECKING:
    from translator import ir

_ROUTE: Final = "envoy.config.route.v3.Route"
_ACTION: Final = "envoy.config.route.v3.RouteAction"
_SHARES: Final = "envoy.config.route.v3.WeightedCluster"
# The numbers of their fields, for those that are joined.
_NAME, _MATCH, _FORWARD, _METADATA = 14, 1, 2, 4
_WEIGHTED_CLUSTERS: Final = 3
_UNCHANGED: Final = HeaderEdits()
_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def encode_route(route: ir.Route) -> bytes:
    """
    Encode a Route.

    A message of which a part was encoded before is joined from its fields (`xds.wire.field`): most
    routes differ from others in a name, a path and a weight, and building all the rest again is
    most of the work.

    Raises:
        ValueError: If the route is not valid; a policy decides about those before they get here.
    """
    action = route.action
    if action is None or not route.valid:
        raise ValueError(f"the invalid route {route.name} cannot be served")
    edits = _header_edits(route.options.headers)
    return b"".join(
        (
            field(_NAME, route.name.encode()),
            field(_MATCH, encode_match(route.match)),
            _encode_action(action, route),
            field(_METADATA, encode_provenance(route.source)),
            encode(build(_ROUTE, **edits)) if edits else b"",
        )
    )


def _encode_action(action: ir.Action, route: ir.Route) -> bytes:
    match action:
        case Forward(destination=destination):
            target = _destination(destination.cluster, destination.subset)
            return field(_FORWARD, target + _forwarding(route))
        case Split(members=members):
            shares = b"".join([_member(member) for member in members])
            return field(_FORWARD, field(_WEIGHTED_CLUSTERS, shares) + _forwarding(route))
        case Redirect():
            return encode(build(_ROUTE, redirect=_redirect(action)))
        case DirectResponse():
            response: Fields = {"status": action.status}
            if action.body:
                response["body"] = {"inline_string": action.body}
            return encode(build(_ROUTE, direct_response=response))
        case _:
            assert_never(action)


@functools.lru_cache(maxsize=1024)
def _destination(cluster: str, subset: ir.Labels) -> bytes:
    """Encode the part of a RouteAction that says where to."""
    return encode(build(_ACTION, cluster=cluster, **_subset(subset)))


def _member(member: ir.WeightedDestination) -> bytes:
    """Encode the part of a WeightedCluster that is one share of it."""
    destination = member.destination
    if member.headers == _UNCHANGED:
        return _share(destination.cluster, destination.subset, member.weight)
    fields = _weighted(destination.cluster, destination.subset, member.weight)
    return encode(build(_SHARES, clusters=[fields | _header_edits(member.headers)]))


@functools.lru_cache(maxsize=1024)
def _share(cluster: str, subset: ir.Labels, weight: int) -> bytes:
    return encode(build(_SHARES, clusters=[_weighted(cluster, subset, weight)]))


def _weighted(cluster: str, subset: ir.Labels, weight: int) -> Fields:
    return {"name": cluster, "weight": {"value": weight}, **_subset(subset)}


def _subset(labels: ir.Labels) -> Fields:
    return {"metadata_match": lb_metadata(labels)} if labels else {}


def _forwarding(route: ir.Route) -> bytes:
    """Encode the part of a RouteAction that says how."""
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
    return encode(build(_ACTION, **fields)) if fields else b""


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
    fields: Fields = {}
    if edits.request_add:
        fields["request_headers_to_add"] = [_header_value(value) for value in edits.request_add]
    if edits.request_remove:
        fields["request_headers_to_remove"] = edits.request_remove
    if edits.response_add:
        fields["response_headers_to_add"] = [_header_value(value) for value in edits.response_add]
    if edits.response_remove:
        fields["response_headers_to_remove"] = edits.response_remove
    return fields


def _header_value(value: ir.HeaderValue) -> Fields:
    action = "APPEND_IF_EXISTS_OR_ADD" if value.append else "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"header": {"key": value.name, "value": value.value}, "append_action": action}

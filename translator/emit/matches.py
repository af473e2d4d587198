from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import re2

from translator.ir import HeaderMatch, Match, PathKind, QueryMatch, ValueKind
from xds.messages import build, encode, field

if TYPE_CHECKING:
    from translator.emit.values import Fields

_MATCH: Final = "envoy.config.route.v3.RouteMatch"
# The numbers of two of its fields.
_PREFIX, _PATH = 1, 2
_MILLION = 1_000_000


def encode_match(match: Match) -> bytes:
    """Encode a RouteMatch."""
    path = match.path
    fields: Fields = {}
    encoded = b"".join([_header(header) for header in match.headers])
    match path.kind:
        case PathKind.PREFIX:
            encoded += field(_PREFIX, path.value.encode())
        case PathKind.EXACT:
            encoded += field(_PATH, path.value.encode())
        case PathKind.REGEX:
            fields["safe_regex"] = {"regex": path.value}
    if not path.case_sensitive:
        fields["case_sensitive"] = {"value": False}
    if match.methods:
        encoded += _method(match.methods)
    if match.share < _MILLION:
        share: Fields = {"numerator": match.share, "denominator": "MILLION"}
        fields["runtime_fraction"] = {"default_value": share}
    if match.query:
        fields["query_parameters"] = [_query(parameter) for parameter in match.query]
    return encoded + (encode(build(_MATCH, **fields)) if fields else b"")


@functools.lru_cache(maxsize=1024)
def _header(match: HeaderMatch) -> bytes:
    """Encode the part of a RouteMatch that is about one header, as in many others."""
    header: Fields = {"name": match.name, "invert_match": match.invert, **_condition(match)}
    return encode(build(_MATCH, headers=[header]))


def _query(match: QueryMatch) -> Fields:
    return {"name": match.name, **_condition(match)}


def _condition(match: HeaderMatch | QueryMatch) -> Fields:
    match match.kind:
        case ValueKind.PRESENT:
            return {"present_match": True}
        case ValueKind.EXACT:
            return {"string_match": {"exact": match.value}}
        case ValueKind.REGEX:
            return {"string_match": {"safe_regex": {"regex": match.value}}}


@functools.lru_cache(maxsize=64)
def _method(methods: tuple[str, ...]) -> bytes:
    condition: Fields = {"exact": methods[0]}
    if len(methods) > 1:
        condition = {"safe_regex": {"regex": "|".join(map(re2.escape, methods))}}
    return encode(build(_MATCH, headers=[{"name": ":method", "string_match": condition}]))

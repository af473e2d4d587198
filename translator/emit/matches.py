from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from translator.ir import HeaderMatch, Match, PathKind, QueryMatch, ValueKind

if TYPE_CHECKING:
    from translator.emit.values import Fields

_MILLION = 1_000_000


def route_match(match: Match) -> Fields:
    """Make a RouteMatch."""
    fields: Fields = {}
    match match.path.kind:
        case PathKind.PREFIX:
            fields["prefix"] = match.path.value
        case PathKind.EXACT:
            fields["path"] = match.path.value
        case PathKind.REGEX:
            fields["safe_regex"] = {"regex": match.path.value}
    if not match.path.case_sensitive:
        fields["case_sensitive"] = {"value": False}
    headers = [_header(header) for header in match.headers]
    if match.methods:
        headers.append(_method(match.methods))
    if headers:
        fields["headers"] = headers
    if match.share < _MILLION:
        share: Fields = {"numerator": match.share, "denominator": "MILLION"}
        fields["runtime_fraction"] = {"default_value": share}
    if match.query:
        fields["query_parameters"] = [_query(parameter) for parameter in match.query]
    return fields


def _header(match: HeaderMatch) -> Fields:
    fields: Fields = {"name": match.name, **_condition(match)}
    if match.invert:
        fields["invert_match"] = True
    return fields


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


def _method(methods: tuple[str, ...]) -> Fields:
    if len(methods) == 1:
        return {"name": ":method", "string_match": {"exact": methods[0]}}
    alternatives = "|".join(re2.escape(method) for method in methods)
    return {"name": ":method", "string_match": {"safe_regex": {"regex": alternatives}}}

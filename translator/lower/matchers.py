"""What a request must look like, as one route says it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from translator.ir import HeaderMatch, Match, PathKind, PathMatch, QueryMatch, ValueKind
from translator.lower.headers import is_token, value_complaint
from translator.lower.paths import path_complaint
from translator.lower.regexes import complaint as regex_complaint
from translator.report import rules

if TYPE_CHECKING:
    from translator.lower.findings import Findings, Place
    from translator.resources.matcher import HeaderMatcher, Matcher, QueryParameterMatcher

ALL_PATHS = PathMatch(kind=PathKind.PREFIX, value="/")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchDraft:
    """One matcher as written."""

    match: Match
    """With `prefix: /` if it says nothing of the path."""
    place: Place
    """The matcher, or the route if it has none."""
    faults: tuple[str, ...] = ()
    """The codes of the mistakes in it."""


def lower_matcher(spec: Matcher, place: Place, findings: Findings) -> MatchDraft:
    """Lower one matcher."""
    faults: list[str] = []
    match = Match(
        path=_path(spec, place, findings, faults),
        headers=tuple(
            _header(header, place.at("headers", index), findings, faults)
            for index, header in enumerate(spec.headers)
        ),
        query=tuple(
            _query(parameter, place.at("queryParameters", index), findings, faults)
            for index, parameter in enumerate(spec.query_parameters)
        ),
        methods=tuple(sorted(set(spec.methods))),
    )
    for index, method in enumerate(spec.methods):
        if not is_token(method):
            where = place.at("methods", index)
            faults.append(findings.add(rules.BAD_METHOD, where, f"'{method}' is not a method"))
    return MatchDraft(match=match, place=place, faults=tuple(sorted(set(faults))))


def _path(spec: Matcher, place: Place, findings: Findings, faults: list[str]) -> PathMatch:
    case_sensitive = spec.case_sensitive is not False
    if spec.regex is not None:
        _check_regex(spec.regex, place.at("regex"), findings, faults)
        # Envoy ignores the case for an expression.
        return PathMatch(kind=PathKind.REGEX, value=spec.regex)
    kind, value = PathKind.PREFIX, "/"
    if spec.prefix is not None:
        value = spec.prefix
    elif spec.exact is not None:
        kind, value = PathKind.EXACT, spec.exact
    complaint = path_complaint(value)
    if complaint:
        message = f"no request has the path '{value}': {complaint}"
        faults.append(findings.add(rules.BAD_PATH, place.at(kind.value), message))
    return PathMatch(kind=kind, value=value, case_sensitive=case_sensitive)


def _header(
    spec: HeaderMatcher, place: Place, findings: Findings, faults: list[str]
) -> HeaderMatch:
    # Envoy matches pseudo-headers such as `:authority` like any other.
    if not is_token(spec.name.removeprefix(":")):
        message = f"'{spec.name}' is not the name of a header"
        faults.append(findings.add(rules.BAD_HEADER, place.at("name"), message))
    kind = _value_kind(spec, place, findings, faults)
    if kind is ValueKind.EXACT:
        complaint = value_complaint(spec.value)
        if complaint:
            faults.append(findings.add(rules.BAD_HEADER, place.at("value"), complaint))
    return _header_match(spec.name.lower(), kind, spec.value, spec.invert_match)


@lru_cache(maxsize=1024)
def _header_match(name: str, kind: ValueKind, value: str, invert: bool) -> HeaderMatch:  # noqa: FBT001
    """Make a condition; thousands of routes have the same one, and it is to be there once."""
    return HeaderMatch(name=name, kind=kind, value=value, invert=invert)


def _query(
    spec: QueryParameterMatcher, place: Place, findings: Findings, faults: list[str]
) -> QueryMatch:
    kind = _value_kind(spec, place, findings, faults)
    return QueryMatch(name=spec.name, kind=kind, value=spec.value)


def _value_kind(
    spec: HeaderMatcher | QueryParameterMatcher,
    place: Place,
    findings: Findings,
    faults: list[str],
) -> ValueKind:
    # As in Gloo, an empty value asks for presence, even where it is said to be an expression.
    if not spec.value:
        return ValueKind.PRESENT
    if not spec.regex:
        return ValueKind.EXACT
    _check_regex(spec.value, place.at("value"), findings, faults)
    return ValueKind.REGEX


def _check_regex(regex: str, place: Place, findings: Findings, faults: list[str]) -> None:
    complaint = regex_complaint(regex)
    if complaint:
        message = f"Envoy refuses the expression '{regex}': {complaint}"
        faults.append(findings.add(rules.BAD_REGEX, place, message))

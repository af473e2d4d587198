"""Header names and values, as HTTP and Envoy allow them, and changes to headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from translator.ir import HeaderEdits, HeaderValue
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translator.lower.findings import Findings, Place
    from translator.resources.options import HeaderManipulation, HeaderValueOption

NO_EDITS = HeaderEdits()

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
"""`token` of RFC 9110, section 5.6.2: names of headers, and methods."""
_FORBIDDEN_IN_VALUES = re.compile(r"[\x00\r\n]")
_OPERATOR = re.compile(r"%%|%[A-Z0-9_]+(?:\(.*?\))?(?::[0-9]+)?%")
"""Envoy's command operators ("Custom request/response headers")."""


def is_token(text: str) -> bool:
    """Tell whether a text is a token of HTTP."""
    return _TOKEN.fullmatch(text) is not None


def value_complaint(value: str) -> str:
    """Say why no header has a value; empty if one may."""
    forbidden = _FORBIDDEN_IN_VALUES.search(value)
    return f"a header's value cannot contain {forbidden.group()!r}" if forbidden else ""


def lower_edits(
    spec: HeaderManipulation | None, place: Place, findings: Findings
) -> tuple[HeaderEdits, tuple[str, ...]]:
    """Lower changes to headers; the codes are those of the mistakes in them."""
    if spec is None:
        return NO_EDITS, ()
    faults: list[str] = []
    edits = HeaderEdits(
        request_add=_added(
            spec.request_headers_to_add, place.at("requestHeadersToAdd"), findings, faults
        ),
        request_remove=_removed(
            spec.request_headers_to_remove, place.at("requestHeadersToRemove"), findings, faults
        ),
        response_add=_added(
            spec.response_headers_to_add, place.at("responseHeadersToAdd"), findings, faults
        ),
        response_remove=_removed(
            spec.response_headers_to_remove, place.at("responseHeadersToRemove"), findings, faults
        ),
    )
    return edits, tuple(faults)


def _added(
    options: Sequence[HeaderValueOption], place: Place, findings: Findings, faults: list[str]
) -> tuple[HeaderValue, ...]:
    values: list[HeaderValue] = []
    for index, option in enumerate(options):
        header = option.header
        where = place.at(index, "header")
        _check_name(header.key, where.at("key"), findings, faults)
        complaint = value_complaint(header.value)
        if not complaint and "%" in _OPERATOR.sub("", header.value):
            complaint = "a '%' that begins none of Envoy's operators must be written '%%'"
        if complaint:
            faults.append(findings.add(rules.BAD_HEADER, where.at("value"), complaint))
        values.append(
            HeaderValue(name=header.key.lower(), value=header.value, append=option.append)
        )
    return tuple(values)


def _removed(
    header_names: Sequence[str], place: Place, findings: Findings, faults: list[str]
) -> tuple[str, ...]:
    for index, name in enumerate(header_names):
        _check_name(name, place.at(index), findings, faults)
    return tuple(dict.fromkeys(name.lower() for name in header_names))


def _check_name(name: str, place: Place, findings: Findings, faults: list[str]) -> None:
    # Envoy: ":-prefixed or host headers may not be modified".
    if name.startswith(":") or name.lower() == "host":
        message = f"the header '{name}' cannot be changed"
        hint = "to change the host, set 'options.hostRewrite'"
        faults.append(findings.add(rules.BAD_HEADER, place, message, help=hint))
    elif not is_token(name):
        message = f"'{name}' is not the name of a header"
        faults.append(findings.add(rules.BAD_HEADER, place, message))

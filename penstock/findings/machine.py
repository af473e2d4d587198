"""Findings for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.findings.report import Report
    from translator.lower import Affected
    from translator.report import Diagnostic, ResourceRef

__all__ = ["affected_data", "as_data", "as_github", "as_json", "resource_data"]

_LONGEST: Final = 1000
"""Longer lines of text are left to whoever can open the file."""


def as_data(diagnostic: Diagnostic, report: Report) -> dict[str, object]:
    """Turn a finding into what JSON can write; the same on the command line and over HTTP."""
    position = diagnostic.position
    line = report.line(position)
    locate = report.locate
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "resource": diagnostic.resource and resource_data(diagnostic.resource),
        "path": locate(position.path),
        "line": position.line,
        "column": position.column,
        "width": position.width,
        "source_line": None if line is None or len(line) > _LONGEST else line,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "effect": diagnostic.effect,
        "related": [
            {
                "label": label,
                "path": locate(place.path),
                "line": place.line,
                "column": place.column,
            }
            for label, place in diagnostic.related
        ],
    }


def affected_data(affected: Affected) -> dict[str, object]:
    """Turn who suffers, and because of whom, into what JSON can write."""
    return {
        "resource": resource_data(affected.resource),
        "route": affected.route,
        "cause": resource_data(affected.cause),
    }


def resource_data(resource: ResourceRef) -> dict[str, object]:
    """Turn the identity of a resource into what JSON can write."""
    return {"kind": resource.kind, "namespace": resource.namespace, "name": resource.name}


def as_json(report: Report) -> str:
    """Write a report as one JSON document."""
    data = {
        "summary": {
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "files": report.files,
        },
        "findings": [as_data(diagnostic, report) for diagnostic in report.diagnostics],
        "affected": [affected_data(affected) for affected in report.affected],
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_github(report: Report) -> Iterator[str]:
    """
    Yield GitHub Actions' workflow commands, which annotate the lines of a pull request.

    See "Workflow commands for GitHub Actions" in its documentation.
    """
    for diagnostic in report.diagnostics:
        position = diagnostic.position
        properties = {
            "file": report.locate(position.path),
            "line": str(position.line),
            "endLine": str(position.line),
            "col": str(position.column),
            "endColumn": str(position.column + position.width),
            "title": f"{diagnostic.code}: {diagnostic.rule.title}",
        }
        fields = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        lines = [diagnostic.message]
        if diagnostic.help:
            lines.append(diagnostic.help)
        if diagnostic.effect:
            lines.append(f"effect: {diagnostic.effect}")
        lines += [
            f"{label}: {report.locate(at.path)}:{at.line}" for label, at in diagnostic.related
        ]
        message = _message("\n".join(lines))
        yield f"::{diagnostic.severity} {fields}::{message}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

"""
Findings as SARIF 2.1.0, which code hosts and editors read.

See "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" of OASIS.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from penstock import version
from penstock.findings.report import identity
from translator.report import rules

if TYPE_CHECKING:
    from penstock.findings.report import Report
    from translator.report import Diagnostic, Position

__all__ = ["as_sarif"]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT: Final = "%SRCROOT%"
"""What relative paths are relative to, by the convention of SARIF's readers."""
_FINGERPRINT: Final = "penstockFinding/v1"
_RULES: Final = {rule.code: index for index, rule in enumerate(rules.ALL_RULES)}


def as_sarif(report: Report) -> str:
    """Write a report as one SARIF document."""
    seen: Counter[tuple[str, ...]] = Counter()
    results = []
    for diagnostic in report.diagnostics:
        key = identity(diagnostic)
        seen[key] += 1
        # The same mistake twice in one resource is two results, told apart by their order.
        fingerprint = sha256("\0".join((*key, str(seen[key]))).encode()).hexdigest()
        results.append(_result(diagnostic, report, fingerprint))
    run = {
        "tool": {
            "driver": {
                "name": "Penstock",
                "version": version(),
                "rules": [
                    {
                        "id": rule.code,
                        "shortDescription": {"text": rule.title},
                        "defaultConfiguration": {"level": str(rule.severity)},
                    }
                    for rule in rules.ALL_RULES
                ],
            }
        },
        # As the positions are counted; see the parser.
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"],
        "results": results,
    }
    data = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2, ensure_ascii=False)


def _result(diagnostic: Diagnostic, report: Report, fingerprint: str) -> dict[str, object]:
    lines = [diagnostic.message, diagnostic.help]
    if diagnostic.effect:
        lines.append(f"effect: {diagnostic.effect}")
    location = _location(diagnostic.position, report)
    if diagnostic.resource is not None:
        ref = diagnostic.resource
        location["logicalLocations"] = [{"fullyQualifiedName": str(ref), "kind": "resource"}]
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": _RULES[diagnostic.code],
        "level": str(diagnostic.severity),
        "message": {"text": "\n".join(line for line in lines if line)},
        "locations": [location],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {**_location(position, report), "message": {"text": label}}
            for label, position in diagnostic.related
        ]
    return result


def _location(position: Position, report: Report) -> dict[str, object]:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(PurePath(report.locate(position.path))),
            "region": {
                "startLine": position.line,
                "startColumn": position.column,
                "endColumn": position.column + position.width,
            },
        }
    }


def _artifact(path: PurePath) -> dict[str, str]:
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": _ROOT}

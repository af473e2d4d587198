"""
Findings for people.

    config/echo/routes.yaml:17:19: error[PEN301]: upstream 'gloo-system/echo-typo' does not exist
       17 |             name: echo-typo
          |                   ^^^^^^^^^ did you mean 'echo'?
          = effect: requests to /echo are not served by this route; all other routes keep serving
    1 error, 0 warnings in 5 files
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.findings.excerpt import excerpt, visible
from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.findings.report import Report
    from translator.report import Diagnostic, Position

__all__ = ["as_text", "summary"]

_BOLD: Final = "1"
_COLOURS: Final = {Severity.ERROR: "1;31", Severity.WARNING: "1;33"}
_GUTTER: Final = 5


def as_text(report: Report, *, colour: bool) -> Iterator[str]:
    """
    Yield the lines of a report, the summary last.

    Args:
        report: What was found.
        colour: Whether to paint with ANSI escape sequences.
    """
    for diagnostic in report.diagnostics:
        yield from _finding(report, diagnostic, colour=colour)
    yield summary(report)


def _finding(report: Report, diagnostic: Diagnostic, *, colour: bool) -> Iterator[str]:
    def paint(code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    tone = _COLOURS[diagnostic.severity]
    label = paint(tone, f"{diagnostic.severity}[{diagnostic.code}]")
    place = paint(_BOLD, _place(report, diagnostic.position))
    yield f"{place}: {label}: {visible(diagnostic.message)}"
    number = str(diagnostic.position.line).rjust(_GUTTER)
    empty = " " * len(number)
    line = report.line(diagnostic.position)
    notes = []
    if line is None:
        if diagnostic.help:
            notes.append(f"help: {visible(diagnostic.help)}")
    else:
        text, indent, width = excerpt(line, diagnostic.position.column, diagnostic.position.width)
        carets = paint(tone, "^" * width)
        yield f"{number} | {text}".rstrip()
        yield f"{empty} | {' ' * indent}{carets} {visible(diagnostic.help)}".rstrip()
    if diagnostic.effect:
        notes.append(f"effect: {visible(diagnostic.effect)}")
    notes += [
        f"note: {visible(label)} ({_place(report, position)})"
        for label, position in diagnostic.related
    ]
    for note in notes:
        yield f"{empty} = {note}"


def _place(report: Report, position: Position) -> str:
    return f"{visible(report.locate(position.path))}:{position.line}:{position.column}"


def summary(report: Report) -> str:
    """Say in one line what was found in how much."""
    files = _count(report.files, "file")
    if not report.diagnostics:
        return f"No problems detected. {files} checked."
    errors = _count(report.count(Severity.ERROR), "error")
    warnings = _count(report.count(Severity.WARNING), "warning")
    return f"{errors}, {warnings} in {files}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""
Findings for people.

    config/echo/routes.yaml:17:19: error[PEN301]: upstream 'gloo-system/echo-typo' does not exist
       17 |             name: echo-typo
          |                   ^^^^^^^^^ did you mean 'echo'?
          = effect: requests to /echo are not served by this route; all other routes keep serving
    affected: RouteTable foxtrot/routes (route '#0') by UpstreamGroup echo/canary
    1 error, 0 warnings in 5 files
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.findings.excerpt import excerpt, visible
from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from penstock.findings.report import Report
    from translator.report import Diagnostic, Position, ResourceRef

__all__ = ["affected_text", "as_text", "count", "finding_text", "paint", "summary", "totals"]

_BOLD: Final = "1"
_TONES: Final = {Severity.ERROR: "1;31", Severity.WARNING: "1;33"}
_GUTTER: Final = 5
_MOST_AFFECTED: Final = 20
"""How many lines tell who is affected; formats for machines list all."""
_MOST_ROUTES: Final = 3
"""How many routes of one resource are named."""


def as_text(report: Report, *, colour: bool) -> Iterator[str]:
    """
    Yield the lines of a report, the summary last.

    Args:
        report: What was found.
        colour: Whether to paint with ANSI escape sequences.
    """
    for diagnostic in report.diagnostics:
        line = report.line(diagnostic.position)
        yield from finding_text(diagnostic, line, locate=report.locate, colour=colour)
    yield from affected_text((each.resource, each.route, each.cause) for each in report.affected)
    yield summary(report)


def finding_text(
    diagnostic: Diagnostic, line: str | None, *, locate: Callable[[str], str], colour: bool
) -> Iterator[str]:
    """
    Yield the lines of one finding.

    Args:
        diagnostic: What was found.
        line: The line of text that it is about, if there is one.
        locate: Turns an origin into a path that the reader can open.
        colour: Whether to paint with ANSI escape sequences.
    """

    def place(position: Position) -> str:
        return f"{visible(locate(position.path))}:{position.line}:{position.column}"

    tone = _TONES[diagnostic.severity]
    label = paint(f"{diagnostic.severity}[{diagnostic.code}]", tone, colour=colour)
    where = paint(place(diagnostic.position), _BOLD, colour=colour)
    yield f"{where}: {label}: {visible(diagnostic.message)}"
    number = str(diagnostic.position.line).rjust(_GUTTER)
    empty = " " * len(number)
    notes = []
    if line is None:
        if diagnostic.help:
            notes.append(f"help: {visible(diagnostic.help)}")
    else:
        text, indent, width = excerpt(line, diagnostic.position.column, diagnostic.position.width)
        carets = paint("^" * width, tone, colour=colour)
        yield f"{number} | {text}".rstrip()
        yield f"{empty} | {' ' * indent}{carets} {visible(diagnostic.help)}".rstrip()
    if diagnostic.effect:
        notes.append(f"effect: {visible(diagnostic.effect)}")
    notes += [
        f"note: {visible(label)} ({place(position)})" for label, position in diagnostic.related
    ]
    for note in notes:
        yield f"{empty} = {note}"


def affected_text(affected: Iterable[tuple[ResourceRef, str, ResourceRef]]) -> Iterator[str]:
    """
    Yield a line for each resource that suffers from another one, without a mistake of its own.

    Args:
        affected: Who suffers, with which route or all of it, and because of whom.
    """
    routes: dict[tuple[ResourceRef, ResourceRef], list[str]] = {}
    for resource, route, cause in affected:
        routes.setdefault((resource, cause), []).extend([route] if route else [])
    lines = [
        f"affected: {visible(str(resource))}{_routes(labels)} by {visible(str(cause))}"
        for (resource, cause), labels in routes.items()
    ]
    yield from lines[:_MOST_AFFECTED]
    if len(lines) > _MOST_AFFECTED:
        yield f"affected: {count(len(lines) - _MOST_AFFECTED, 'more resource')}"


def _routes(labels: list[str]) -> str:
    if not labels:
        return ""
    shown = [f"'{visible(label)}'" for label in labels[:_MOST_ROUTES]]
    if len(labels) > _MOST_ROUTES:
        shown.append(f"{len(labels) - _MOST_ROUTES} more")
    return f" ({'route' if len(labels) == 1 else 'routes'} {', '.join(shown)})"


def summary(report: Report) -> str:
    """Say in one line what was found in how much."""
    return totals(report.count(Severity.ERROR), report.count(Severity.WARNING), report.files)


def totals(errors: int, warnings: int, files: int) -> str:
    """Say in one line how much was found in how many files."""
    if not errors and not warnings:
        return "No problems detected."
    return f"{count(errors, 'error')}, {count(warnings, 'warning')} in {count(files, 'file')}"


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def paint(text: str, tone: str, *, colour: bool) -> str:
    """Put a text into a tone of ANSI's escape sequences, if there are to be colours."""
    return f"\x1b[{tone}m{text}\x1b[0m" if colour else text

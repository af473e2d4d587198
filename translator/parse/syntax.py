"""What libyaml says about a text, in words that help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from translator.report import Rule, rules

if TYPE_CHECKING:
    import yaml

    from translator.parse.trail import Mark


class Complaint(NamedTuple):
    """A syntax error, placed and explained."""

    rule: Rule
    line: int
    """From 0, in the text that was read."""
    column: int
    """From 0."""
    message: str
    advice: str = ""
    related: tuple[str, int, int] | None = None
    """Another place that explains it: a label, a line and a column."""


_INDENTATION = re.compile(r" *\t[ \t]*")
_OPENERS = {"[": "]", "{": "}"}
_UNCLOSED = ("did not find expected ','", "did not find expected node content")

_EXPLANATIONS: dict[str, tuple[str, str]] = {
    "mapping values are not allowed in this context": (
        "a ':' where no key can stand",
        "check the indentation, or quote the text that contains the ':'",
    ),
    "did not find expected key": (
        "this is not a key of the mapping around it",
        "align it with the keys above, or quote the value before it",
    ),
    "did not find expected '-' indicator": (
        "this is not an item of the list around it",
        "align it with the '-' above, or with the fields of the item",
    ),
    "could not find expected ':'": ("this line has no ':'", "write it as 'key: value'"),
    "block sequence entries are not allowed in this context": (
        "a list item where no list can begin",
        "begin the list on a line of its own, or quote a text that begins with '- '",
    ),
    "did not find expected <document start>": (
        "this does not belong to the document that has just ended",
        "check the indentation, or begin a new document with '---'",
    ),
    "did not find expected node content": ("a value is missing here", ""),
    "found unknown escape character": (
        "an escape that YAML does not know",
        "write '\\\\' for a backslash, or use single quotes",
    ),
    "found undefined tag handle": ("a tag that is not defined", "remove the tag"),
}
"""libyaml's problem, our message, and what to do."""


def explain(error: yaml.MarkedYAMLError, text: str, innermost: Mark | None) -> Complaint:
    """
    Turn an error of libyaml into a message at the place that has to be changed.

    Args:
        error: The error.
        text: What was read.
        innermost: Where the collection begins in which it was found.
    """
    lines = text.split("\n")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    problem = error.problem or ""
    if tab := _find_tab(lines, line, column, problem):
        return tab
    if error.context_mark is not None:
        begin = error.context_mark
        opener = _at(lines, begin.line, begin.column)
        if "quoted scalar" in (error.context or "") and "unexpected" in problem:
            return Complaint(
                rules.BAD_YAML, begin.line, begin.column, f"this {opener} is never closed"
            )
    if innermost is not None:
        opener = _at(lines, innermost.line, innermost.column)
        if opener in _OPENERS and problem.startswith(_UNCLOSED):
            return Complaint(
                rules.BAD_YAML,
                innermost.line,
                innermost.column,
                f"this '{opener}' is not closed before the next value",
                f"add a ',' or the '{_OPENERS[opener]}', or quote the text",
                ("it should be closed before this", line, column),
            )
    character = _at(lines, line, column)
    if problem.startswith("found character that cannot start any token"):
        return Complaint(
            rules.BAD_YAML,
            line,
            column,
            f"a value cannot begin with '{character}'",
            "quote the value",
        )
    message, advice = _EXPLANATIONS.get(problem, (problem or "this is not YAML", ""))
    return Complaint(rules.BAD_YAML, line, column, message, advice)


def _find_tab(lines: list[str], line: int, column: int, problem: str) -> Complaint | None:
    indentation = _INDENTATION.match(lines[line]) if line < len(lines) else None
    if indentation is not None:
        column = indentation.group().index("\t")
    elif "tab" not in problem and _at(lines, line, column) != "\t":
        return None
    return Complaint(rules.TAB, line, column, "a tab where YAML wants spaces", "indent with spaces")


def _at(lines: list[str], line: int, column: int) -> str:
    return lines[line][column : column + 1] if line < len(lines) else ""

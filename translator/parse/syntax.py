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
_BRACKETS = {"[": "]", "{": "}"}
_UNCLOSED = ("did not find expected ','", "did not find expected node content")

_NO_KEY = "did not find expected key"

_EXPLANATIONS: dict[str, tuple[str, str]] = {
    "mapping values are not allowed in this context": (
        "a ':' where no key can stand",
        "check the indentation, or quote the text that contains the ':'",
    ),
    _NO_KEY: (
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
    "did not find expected alphabetic or numeric character": (
        "'*' and '&' refer to a name, and there is none",
        "quote a text that begins with '*' or '&'",
    ),
    "did not find expected comment or line break": (
        "text behind the '|' or '>' that begins a block of text",
        "begin the text on the next line, or quote it",
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
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    place = (mark.line, mark.column) if mark else (0, 0)
    begin = error.context_mark and (error.context_mark.line, error.context_mark.column)
    if tab := _find_tab(lines, *place, problem):
        return tab
    if begin and "quoted scalar" in context and "unexpected" in problem:
        quote = _at(lines, *begin)
        return Complaint(rules.BAD_YAML, *begin, f"this {quote} is never closed")
    if innermost and problem.startswith(_UNCLOSED):
        opener = _at(lines, innermost.line, innermost.column)
        if opener in _BRACKETS:
            return _unclosed(lines, (innermost.line, innermost.column), place)
    if begin and context == "while scanning a simple key":
        # libyaml complains where it gives up looking for the ':'.
        place = begin
    if problem.startswith("found character that cannot start any token"):
        message = f"a value cannot begin with '{_at(lines, *place)}'"
        return Complaint(rules.BAD_YAML, *place, message, "quote the value")
    message, advice = _EXPLANATIONS.get(problem, (problem or "this is not YAML", ""))
    if problem == _NO_KEY and lines[place[0]][: place[1]].strip():
        message, advice = "text behind the end of a value", "quote the value as a whole"
    return Complaint(rules.BAD_YAML, *place, message, advice)


def _unclosed(lines: list[str], begin: tuple[int, int], place: tuple[int, int]) -> Complaint:
    opener = _at(lines, *begin)
    advice = f"add a ',' or the '{_BRACKETS[opener]}', or quote the text"
    rest = lines[place[0]][place[1] :] if place[0] < len(lines) else ""
    if not rest.strip() or rest.startswith("---"):
        return Complaint(rules.BAD_YAML, *begin, f"this '{opener}' is never closed", advice)
    message = f"this '{opener}' is not closed before the next value"
    related = ("it should be closed before this", *place)
    return Complaint(rules.BAD_YAML, *begin, message, advice, related)


def _find_tab(lines: list[str], line: int, column: int, problem: str) -> Complaint | None:
    indentation = _INDENTATION.match(lines[line]) if line < len(lines) else None
    if indentation is not None:
        column = indentation.group().index("\t")
    elif "tab" not in problem and _at(lines, line, column) != "\t":
        return None
    return Complaint(rules.TAB, line, column, "a tab where YAML wants spaces", "indent with spaces")


def _at(lines: list[str], line: int, column: int) -> str:
    return lines[line][column : column + 1] if line < len(lines) else ""

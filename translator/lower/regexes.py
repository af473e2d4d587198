"""
What can be known about an RE2 expression.

Envoy compiles expressions with RE2 and demands that they match the whole text
(`safe_regex`, `type.matcher.v3.RegexMatcher`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PROGRAM_SIZE = 100
"""Envoy's own limit, unless its runtime sets `re2.max_program_size.error_level`; it refuses the
whole route configuration for one larger expression (measured on Envoy 1.40)."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
"""RE2 would write to stderr."""


@lru_cache(maxsize=4096)
def _compile(regex: str) -> Any:
    try:
        return re2.compile(regex, _OPTIONS)
    except re2.error as error:
        return error


def complaint(regex: str) -> str:
    """Return why Envoy refuses an expression, mostly in RE2's words; empty if it does not."""
    if not regex:
        return "it is empty"
    compiled = _compile(regex)
    if isinstance(compiled, re2.error):
        (words,) = compiled.args
        return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    if compiled.programsize > _MAX_PROGRAM_SIZE:
        return f"its program size is {compiled.programsize}, more than {_MAX_PROGRAM_SIZE}"
    return ""


def groups(regex: str) -> int:
    """Count the groups of a valid expression."""
    count: int = _compile(regex).groups
    return count


def full_match(regex: str, text: str) -> bool:
    """Tell whether a valid expression matches the whole of a text."""
    return _compile(regex).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def literal_prefix(regex: str) -> str:
    """
    Return a text that everything which a valid expression matches begins with.

    It is as long as a simple reading can prove, and often shorter than it might be.
    """
    if _alternates(regex):
        return ""
    literals: list[str] = []
    for character, literal in _tokens(regex.removeprefix("^")):
        if literal and character.isascii():
            literals.append(character)
            continue
        if character in "*?{" and literals:
            # The last literal may be absent.
            literals.pop()
        break
    return "".join(literals)


@lru_cache(maxsize=4096)
def stays_below(regex: str, prefix: str) -> bool:
    """
    Tell whether a valid expression may stand below a prefix.

    As in Gloo, its source begins with the prefix, special characters such as `.` included; but
    unlike in Gloo it may not leave the prefix by an alternative, as `/foo|/bar` would.
    """
    if literal_prefix(regex).startswith(prefix):
        return True
    source = regex.removeprefix("^")
    behind = source[len(prefix) : len(prefix) + 1]
    return source.startswith(prefix) and behind not in {*"*?{"} and not _alternates(regex)


def _tokens(regex: str) -> Iterator[tuple[str, bool]]:
    """Split an expression into characters, each with whether it stands for itself."""
    characters = iter(regex)
    for character in characters:
        if character != "\\":
            yield character, character not in r".*+?{}()[]|^$"
            continue
        escaped = next(characters, "")
        # Only escaped punctuation stands for itself: `\d` and `\Q` do not.
        yield escaped, not escaped.isalnum() and escaped.isascii()


def _alternates(regex: str) -> bool:
    r"""Tell whether there may be a `|` outside all groups, classes and `\Q…\E`."""
    if "|" not in regex:
        return False
    if r"\Q" in regex:
        return True
    depth = 0
    for character in _operators(regex):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            return True
    return False


def _operators(regex: str) -> Iterator[str]:
    """Yield the special characters outside of classes such as `[a|b]`."""
    in_class, first, previous = False, False, ""
    for character, literal in _tokens(regex):
        if in_class:
            # A `]` right behind `[` or `[^` stands for itself.
            in_class = character != "]" or literal or first
            first = first and character == "^" and previous == "["
        elif not literal:
            in_class = first = character == "["
            yield character
        previous = character

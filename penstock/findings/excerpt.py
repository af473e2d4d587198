"""One line of somebody's text, safe and aligned on a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["excerpt", "visible"]

WIDEST: Final = 100
"""How many columns of a line are shown."""
_BEFORE: Final = 40
"""How many columns are shown before the caret when a line is cut."""
_TAB: Final = 4


def visible(text: str) -> str:
    """Escape what would move the cursor, change the colour or the direction, or be invisible."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def excerpt(line: str, column: int, width: int) -> tuple[str, int, int]:
    """
    Cut out of a line what is around some characters.

    Args:
        line: The line, as it stands in the file.
        column: The first of the characters, from 1; one past the end is allowed.
        width: How many characters.

    Returns:
        The text to show, and where in it the characters begin and how wide they are, both in
        terminal columns.
    """
    begin = column - 1
    # A line may be megabytes long; more than this on either side is never shown.
    skipped = max(0, begin - WIDEST)
    cells = _cells(line[skipped : begin + WIDEST])
    begin -= skipped
    begin = min(begin, len(cells))
    widths = [wide for _, wide in cells]
    cut_before = bool(skipped) or sum(widths[: begin + width]) > WIDEST
    first = 0
    if cut_before:
        first = begin
        while first > 0 and sum(widths[first - 1 : begin]) <= _BEFORE:
            first -= 1
        cut_before = bool(skipped) or first > 0
    last = first
    room = WIDEST
    while last < len(cells) and widths[last] <= room:
        room -= widths[last]
        last += 1
    cut_after = skipped + last < len(line)
    shown = "".join(text for text, _ in cells[first:last])
    marked = sum(widths[begin : min(begin + width, last)])
    return (
        f"{'…' if cut_before else ''}{shown}{'…' if cut_after else ''}",
        sum(widths[first:begin]) + cut_before,
        max(1, marked),
    )


def _cells(line: str) -> list[tuple[str, int]]:
    """Turn each character into what to show for it, and how many columns that takes."""
    cells: list[tuple[str, int]] = []
    column = 0
    for character in line:
        if character == "\t":
            wide = _TAB - column % _TAB
            cells.append((" " * wide, wide))
        else:
            text = _visible(character)
            wide = len(text) if text != character else _columns(character)
            cells.append((text, wide))
        column += wide
    return cells


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1

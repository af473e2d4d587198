"""A text on a terminal that is written again and again in the same place."""

from __future__ import annotations

import re
import shutil
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import terminal_size
    from typing import TextIO

__all__ = ["Screen", "fit"]

# ECMA-48: cursor home, erase to the end of the line or screen; DEC: hide and show the cursor.
_HOME, _ERASE_LINE, _ERASE_BELOW, _ERASE = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_TONE: Final = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """
    Overwrites what it wrote before, without clearing it first, so that nothing flickers.

    What does not fit is left out, since it would scroll the beginning away.
    """

    def __init__(
        self, stream: TextIO, size: Callable[[], terminal_size] = shutil.get_terminal_size
    ) -> None:
        self._stream = stream
        self._size = size

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Take the terminal for as long as the context lasts; the last text stays on it."""
        self._write(_HIDE + _ERASE)
        try:
            yield
        finally:
            self._write(_SHOW)

    def show(self, lines: Sequence[str]) -> None:
        """Show a text, the last line of which is the most important one."""
        columns, rows = self._size()
        fitting = fit(lines, columns=columns, rows=rows - 1)
        self._write(_HOME + "".join(f"{line}{_ERASE_LINE}\n" for line in fitting) + _ERASE_BELOW)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def fit(lines: Sequence[str], *, columns: int, rows: int) -> list[str]:
    """
    Return what fits on a terminal: the beginning, how much is left out, and the last line.

    Args:
        lines: The text; a line may be longer than a row, and may have colours.
        columns: How many characters a row has.
        rows: How many rows there are.
    """
    heights = [_height(line, columns) for line in lines]
    if sum(heights) <= rows:
        return list(lines)
    room = rows - heights[-1] - 1
    shown = 0
    while shown < len(lines) - 1 and heights[shown] <= room:
        room -= heights[shown]
        shown += 1
    return [*lines[:shown], f"… {len(lines) - shown - 1} more lines", lines[-1]]


def _height(line: str, columns: int) -> int:
    """Count the rows that a line takes, by the characters that take any room."""
    width = sum(_width(character) for character in _TONE.sub("", line))
    return max(-(-width // max(columns, 1)), 1)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""The bytes of a file as characters, and characters as places among the bytes."""

from __future__ import annotations

import re
from typing import Final

UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML 1.1 does not allow (section 5.1); a lone surrogate is a byte that is not UTF-8."""
_ERRORS = "surrogateescape"
"""A lone surrogate keeps the place of each byte that is not UTF-8."""


def decode(data: bytes) -> str:
    """Read bytes as UTF-8; what is not is left in, as lone surrogates."""
    return data.decode("utf-8", _ERRORS)


def printable(text: str) -> str:
    """Replace what YAML does not allow, one for one, so that every place stays where it is."""
    return UNPRINTABLE.sub("\ufffd", text)


class Offsets:
    """
    Counts bytes up to characters, in time proportional to how far apart these are.

    Args:
        text: The decoded text, as `decode` gives it.
        before: How many bytes stand before it.
    """

    def __init__(self, text: str, before: int) -> None:
        self._text = text
        self._before = before
        self._plain = text.isascii()
        self._index = self._bytes = 0

    def of(self, index: int) -> int:
        """Give the place of a character among the bytes."""
        if self._plain:
            return self._before + index
        if index < self._index:
            self._bytes -= self._size(index, self._index)
        else:
            self._bytes += self._size(self._index, index)
        self._index = index
        return self._before + self._bytes

    def _size(self, begin: int, end: int) -> int:
        return len(self._text[begin:end].encode("utf-8", _ERRORS))

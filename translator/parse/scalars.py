"""
What YAML 1.1 reads in a plain scalar.

The types are those of PyYAML's safe loader, with one exception: `1e3` is a number, as in JSON and
in Kubernetes. `y` and `n` stay text, as in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Surprise:
    """A plain scalar that YAML 1.1 reads as something few people expect."""

    text: str
    """What is written."""
    reading: str
    """What YAML reads, in words, such as `the boolean true`."""
    meant: object = None
    """The value where no other can have been meant: `yes` where a boolean is expected."""


_ORDINARY: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_SWITCHES = {
    text: value
    for words, value in ((("yes", "on"), True), (("no", "off"), False))
    for word in words
    for text in (word, word.capitalize(), word.upper())
}
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:"
    r"0b(?P<binary>[01_]+)"
    r"|0x(?P<hexadecimal>[0-9a-fA-F_]+)"
    r"|(?P<sexagesimal>[1-9][0-9_]*(?::[0-5]?[0-9])+)"
    r"|0(?P<octal>[0-7_]+)"
    r"|(?P<decimal>0|[1-9][0-9_]*)"
    r")"
)
_READINGS = (
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"), "a number in base 60"),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)"), "an infinite number"),
    (re.compile(r"\.(?:nan|NaN|NAN)"), "not a number"),
    (
        re.compile(
            r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
            r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
            r"|[0-9][0-9_]*[eE][-+]?[0-9]+)"
        ),
        "a number",
    ),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "a date"),
    (
        re.compile(
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
            r"(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
        ),
        "a point in time",
    ),
)
"""What else YAML 1.1 does not read as text."""
_MAX_DIGITS = 400
"""Longer numbers stay text: Python refuses to convert very long ones, and nobody means them."""


@lru_cache(maxsize=4096)
def plain(text: str) -> object:
    """Read a plain scalar: None, bool, int, float, str, or a `Surprise`."""
    if text in _ORDINARY:
        return _ORDINARY[text]
    if text in _SWITCHES:
        value = _SWITCHES[text]
        return Surprise(text, f"the boolean {str(value).lower()}", value)
    # A number or a date begins with a digit, a sign or a dot.
    if text[0] not in "0123456789+-." or len(text) > _MAX_DIGITS:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        # 1.10 is read as 1.1, which is another version.
        return number if str(number) == text else Surprise(text, f"the number {number}")
    if found := _INTEGER.fullmatch(text):
        return _integer(text, found)
    for pattern, reading in _READINGS:
        if pattern.fullmatch(text):
            return Surprise(text, reading)
    return text


def key_text(key: object) -> str:
    """Write a key as it stands in the text, as far as that is known."""
    if isinstance(key, Surprise):
        return key.text
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return key if isinstance(key, str) else str(key)


def _integer(text: str, number: re.Match[str]) -> object:
    base = number.lastgroup
    digits = (number[base] if base else "").replace("_", "")
    sign = -1 if number["sign"] == "-" else 1
    if not digits:
        return text
    match base:
        case "sexagesimal":
            value = 0
            for part in digits.split(":"):
                value = value * 60 + int(part)
            return Surprise(text, f"the number {sign * value} in base 60")
        case "octal":
            value = sign * int(digits, 8)
            # 007 is 7 in any reading; 010 is not.
            same = value == sign * int(digits)
            return Surprise(text, f"the octal number {value}", value if same else None)
        case _:
            value = sign * int(digits, {"binary": 2, "hexadecimal": 16}.get(base or "", 10))
            return Surprise(text, f"the number {value}", value)

"""The IR as plain data, to be printed and compared."""

from __future__ import annotations

import dataclasses
import functools
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, get_args

from translator.ir.actions import Action
from translator.ir.clusters import Discovery

if TYPE_CHECKING:
    from collections.abc import Callable

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"
"""What JSON and YAML can write."""

_TAGGED: Final = frozenset((*get_args(Action), *get_args(Discovery)))
"""The members of unions: their fields alone do not tell which one it is."""


def to_plain(value: object) -> Plain:
    """
    Turn the IR, or any part of it, into plain data.

    A dataclass becomes a mapping of its fields in their order, without those that have their
    default value; a member of a union becomes a mapping of its kind to that. Labels become a
    mapping, other tuples lists.
    """
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return to_plain(value.value)
        case str():
            return value
        case tuple():
            return [to_plain(item) for item in value]
    kind: Any = type(value)  # mypy takes a class for unhashable
    plain = {
        name: write(content)
        for name, default, write in _fields(kind)
        if (content := getattr(value, name)) != default
    }
    return {_kind(kind): plain} if kind in _TAGGED else plain


@functools.cache
def _fields(kind: type[Any]) -> tuple[tuple[str, object, Callable[[Any], Plain]], ...]:
    """List the fields of a dataclass with their defaults and their writers."""
    return tuple(
        (field.name, field.default, _labels if field.type == "Labels" else to_plain)
        for field in dataclasses.fields(kind)
    )


def _labels(labels: tuple[tuple[str, str], ...]) -> Plain:
    return cast("dict[str, Plain]", dict(labels))


@functools.cache
def _kind(kind: type[Any]) -> str:
    """Name a class the way fields are named."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()

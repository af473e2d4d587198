"""The IR as plain data, to be printed, compared and saved."""

from __future__ import annotations

import dataclasses
import functools
import re
from enum import Enum
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from translator.ir.actions import Action
from translator.ir.clusters import Discovery

if TYPE_CHECKING:
    from collections.abc import Callable

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"
"""What JSON and YAML can write."""

T = TypeVar("T")

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


def from_plain(kind: type[T], plain: Plain) -> T:
    """
    Make a dataclass of the IR from its plain data; the inverse of `to_plain`.

    Raises:
        ValueError: The data does not fit; the text tells where and why.
    """
    hint: Any = kind  # mypy takes a class for unhashable
    return cast("T", _reader(hint)(plain))


@functools.cache
def _fields(kind: type[Any]) -> tuple[tuple[str, object, Callable[[Any], Plain]], ...]:
    """List the fields of a dataclass with their defaults and their writers."""
    return tuple(
        (field.name, field.default, _labels if _has_labels(field) else to_plain)
        for field in dataclasses.fields(kind)
    )


def _has_labels(field: dataclasses.Field[Any]) -> bool:
    return field.type == "Labels"


def _labels(labels: tuple[tuple[str, str], ...]) -> Plain:
    return cast("dict[str, Plain]", dict(labels))


@functools.cache
def _kind(kind: Any) -> str:
    """Name a class the way fields are named."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


@functools.cache
def _reader(hint: Any) -> Callable[[Plain], object]:
    """Return the function that reads what `to_plain` makes of a type."""
    if hint in {bool, int, str, NoneType}:
        return functools.partial(_read_scalar, hint)
    if hint in _TAGGED:
        return functools.partial(_read_tagged, hint)
    if dataclasses.is_dataclass(hint):
        return functools.partial(_read_fields, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if get_origin(hint) is tuple:
        return functools.partial(_read_tuple, *_items(get_args(hint)))
    if get_origin(hint) in {Union, UnionType}:
        return _union(get_args(hint))
    raise TypeError(f"{hint} is not of the IR")


def _read_scalar(kind: type[object], plain: Plain) -> object:
    if type(plain) is not kind:  # a bool is an int, but not one that was written
        raise _misfit(kind.__name__, plain)
    return plain


def _read_fields(kind: Any, plain: Plain) -> object:
    if not isinstance(plain, dict):
        raise _misfit(f"the fields of {kind.__name__}", plain)
    readers, required = _readers(kind)
    fields = {}
    for name, value in plain.items():
        if name not in readers:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
        try:
            fields[name] = readers[name](value)
        except ValueError as error:
            raise ValueError(f"{kind.__name__}.{name}: {error}") from error
    if missing := required - fields.keys():
        raise ValueError(f"{kind.__name__} needs {', '.join(sorted(missing))}")
    return kind(**fields)


def _read_tagged(kind: Any, plain: Plain) -> object:
    if not isinstance(plain, dict) or list(plain) != [_kind(kind)]:
        raise _misfit(f"one {_kind(kind)!r}", plain)
    return _read_fields(kind, plain[_kind(kind)])


def _read_labels(plain: Plain) -> object:
    if not isinstance(plain, dict):
        raise _misfit("labels", plain)
    if not all(isinstance(part, str) for pair in plain.items() for part in pair):
        raise ValueError("labels are text")
    return tuple(plain.items())


def _read_tuple(
    reader: Callable[[Plain], object], length: int | None, plain: Plain
) -> tuple[object, ...]:
    if not isinstance(plain, list) or (length is not None and len(plain) != length):
        raise _misfit("a list" if length is None else f"a list of {length}", plain)
    return tuple(map(reader, plain))


def _items(arguments: tuple[Any, ...]) -> tuple[Callable[[Plain], object], int | None]:
    """Tell how to read the items of a tuple, and how many there are if that is known."""
    if arguments[-1] is Ellipsis:
        return _reader(arguments[0]), None
    if len(set(arguments)) != 1:
        raise TypeError(f"a tuple of {arguments} is not of the IR")
    return _reader(arguments[0]), len(arguments)


def _union(members: tuple[Any, ...]) -> Callable[[Plain], object]:
    tagged = {_kind(member): _reader(member) for member in members if member in _TAGGED}
    others = [member for member in members if member not in _TAGGED and member is not NoneType]
    if len(others) + bool(tagged) != 1:
        raise TypeError(f"a union of {members} has members that data cannot tell apart")
    plainly = _reader(others[0]) if others else None

    def read(plain: Plain) -> object:
        if plain is None and NoneType in members:
            return None
        if plainly is not None:
            return plainly(plain)
        tag = next(iter(plain)) if isinstance(plain, dict) and len(plain) == 1 else ""
        if tag not in tagged:
            raise _misfit(f"one of {', '.join(sorted(tagged))}", plain)
        return tagged[tag](plain)

    return read


@functools.cache
def _readers(kind: Any) -> tuple[dict[str, Callable[[Plain], object]], frozenset[str]]:
    """Return the readers of a dataclass's fields, and the names of those without a default."""
    from translator import ir  # noqa: PLC0415 (its modules name types that only it has all of)

    hints = get_type_hints(kind, localns=vars(ir))
    fields = dataclasses.fields(kind)
    readers = {
        field.name: _read_labels if _has_labels(field) else _reader(hints[field.name])
        for field in fields
    }
    return readers, frozenset(
        field.name for field in fields if field.default is dataclasses.MISSING
    )


def _misfit(expected: str, plain: Plain) -> ValueError:
    text = repr(plain)
    return ValueError(f"expected {expected}, got {text if len(text) <= 60 else text[:57] + '...'}")

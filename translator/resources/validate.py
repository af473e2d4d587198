"""
From the errors of pydantic to findings: every mistake once, at its place, with advice.

The way of a valid document is pydantic alone. Everything here runs for invalid ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from translator.parse import Flaw, Path, Surprise, key_text
from translator.report import Diagnostic, closest, quote, rules
from translator.resources.base import Model, validate
from translator.resources.shape import annotation_at, as_model, as_words, element_of, fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

    from translator.parse import Locator
    from translator.report import Position, ResourceRef, Rule

M = TypeVar("M", bound=Model)

_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "a boolean",
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "duration_type": "a duration such as '3s'",
}
"""The types of pydantic's errors that mean a value of the wrong type, with the right one."""
_AS_TEXT = frozenset({"string_type", "duration_type", "enum"})
_FEW_FIELDS = 10
_MANY_NAMES = 100
"""Beyond so many different unknown fields, a document is not one that somebody mistyped."""


class Checker:
    """
    Reads the values of one document as messages.

    Args:
        resource: The resource to blame.
        locator: Finds the places of its values.
        known: What is wrong with its text; what follows from that is not reported again.
    """

    def __init__(
        self, resource: ResourceRef | None, locator: Locator, known: Iterable[Flaw] = ()
    ) -> None:
        self._resource = resource
        self._locator = locator
        self._spoilt = frozenset(flaw.path for flaw in known)
        self._meant: dict[tuple[type[Model], str], str | None] = {}

    def check(self, model: type[M], data: object, path: Path) -> tuple[M | None, tuple[Flaw, ...]]:
        """
        Read the value that the document has at a path.

        Returns:
            The message, or None if it is not valid; and what is wrong with it.
        """
        try:
            return validate(model, data), ()
        except ValidationError as error:
            return None, (*self._errors(model, path, error), *self._choices(model, data, path))

    def flaw(
        self,
        rule: Rule,
        path: Path,
        position: Position,
        message: str,
        advice: str = "",
        related: tuple[tuple[str, Position], ...] = (),
    ) -> Flaw:
        """Put a finding on the resource."""
        diagnostic = Diagnostic(
            rule=rule,
            resource=self._resource,
            position=position,
            message=message,
            help=advice,
            related=related,
        )
        return Flaw(path=path, diagnostic=diagnostic)

    def _errors(self, model: type[Model], path: Path, error: ValidationError) -> Iterator[Flaw]:
        errors = error.errors(include_url=False)
        excused = self._excused(model, errors)
        for details in errors:
            loc = details["loc"]
            kind, value = details["type"], details["input"]
            place = (*path, *loc)
            if kind == "choice" or self._follows(place):
                continue
            if kind == "unexpected_keyword_argument":
                yield self._unknown(as_model(annotation_at(model, loc[:-1])), place)
            elif kind == "missing":
                if loc in excused or loc[:-1] in excused:
                    continue
                yield self._missing(place[:-1], f"missing field '{loc[-1]}'")
            elif kind == "invalid_key" or loc[-1:] == ("[key]",):
                where = place[:-1] if kind == "invalid_key" else place[:-2]
                yield self._bad_key((*where, key_text(value)), value)
            elif kind in _EXPECTED or isinstance(value, Surprise):
                yield self._wrong_type(place, details)
            elif not (kind == "too_short" and value):
                # Of a list whose items are broken pydantic says that it is too short as well.
                yield self._bad_value(place, details, as_words(annotation_at(model, loc)))

    def _excused(
        self, model: type[Model], errors: list[ErrorDetails]
    ) -> set[tuple[str | int | None, ...]]:
        """
        Find what is not missing, but misspelt, or replaced by something that is not supported.

        Each is one mistake; that the right field is missing is no other. A path that ends in a
        mapping excuses all of its fields.
        """
        excused: set[tuple[str | int | None, ...]] = set()
        for details in errors:
            if details["type"] == "unexpected_keyword_argument":
                where, name = details["loc"][:-1], str(details["loc"][-1])
                owner = as_model(annotation_at(model, where))
                if owner is not None:
                    excused.add((*where, self._closest(name, owner)))
                    if name in owner.UNSUPPORTED:
                        excused.add(where)
        return excused

    def _unknown(self, owner: type[Model] | None, path: Path) -> Flaw:
        name = path[-1]
        place = self._locator.key(*path)
        if owner is None:
            return self.flaw(rules.UNKNOWN_FIELD, path, place, f"unknown field {quote(str(name))}")
        if name in owner.UNSUPPORTED:
            message = f"field '{name}' of Gloo is not supported"
            advice = owner.UNSUPPORTED[str(name)] or "remove it"
            return self.flaw(rules.UNSUPPORTED_FIELD, path, place, message, advice)
        known = fields(owner)
        meant = self._closest(str(name), owner)
        if meant is not None:
            advice = f"did you mean '{meant}'?"
        elif len(known) <= _FEW_FIELDS:
            advice = "expected " + _alternatives(known)
        else:
            advice = ""
        return self.flaw(
            rules.UNKNOWN_FIELD, path, place, f"unknown field {quote(str(name))}", advice
        )

    def _closest(self, name: str, model: type[Model]) -> str | None:
        key = (model, name)
        if key not in self._meant and len(self._meant) < _MANY_NAMES:
            self._meant[key] = closest(name, fields(model))
        return self._meant.get(key)

    def _follows(self, path: Path) -> bool:
        """Say whether a finding is but a consequence of what is wrong with the text."""
        return bool(self._spoilt) and any(
            path[:length] in self._spoilt for length in range(len(path) + 1)
        )

    def _missing(self, parent: Path, message: str) -> Flaw:
        place = self._locator.key(*parent)
        return self.flaw(rules.MISSING_FIELD, parent, place, f"{_label(parent)}{message}")

    def _bad_key(self, path: Path, key: object) -> Flaw:
        text = key_text(key)
        place = self._locator.key(*path)
        advice = f"quote it: {json.dumps(text)}"
        if isinstance(key, Surprise):
            message = f"YAML reads the key {text} as {key.reading}"
            return self.flaw(rules.SURPRISING_SCALAR, path, place, message, advice)
        message = f"a key must be a string, got {_describe(key)}"
        return self.flaw(rules.WRONG_TYPE, path, place, message, advice)

    def _wrong_type(self, path: Path, details: ErrorDetails) -> Flaw:
        kind, value = details["type"], details["input"]
        place = self._locator.value(*path)
        label = _label(path)
        if isinstance(value, Surprise) and (
            kind in _AS_TEXT or (kind == "int_type" and not isinstance(value.meant, bool))
        ):
            if kind == "int_type":
                advice = "write a decimal number without leading zeros, ':' or fraction"
            else:
                advice = f"quote it: {json.dumps(value.text)}"
            message = f"{label}YAML reads {value.text} as {value.reading}"
            return self.flaw(rules.SURPRISING_SCALAR, path, place, message, advice)
        message = f"{label}expected {_EXPECTED.get(kind, 'a string')}, got {_describe(value)}"
        return self.flaw(rules.WRONG_TYPE, path, place, message, _conversion(kind, value))

    def _bad_value(self, path: Path, details: ErrorDetails, words: tuple[str, ...]) -> Flaw:
        value = details["input"]
        context = details.get("ctx", {})
        advice = ""
        match details["type"]:
            case "greater_than_equal":
                message = f"must be at least {context['ge']}, got {_describe(value)}"
            case "less_than_equal":
                message = f"must be at most {context['le']}, got {_describe(value)}"
            case "string_too_short":
                message = "must not be empty"
            case "too_short":
                message = "must have at least one item"
            case "enum" if isinstance(value, str):
                message = f"there is no {quote(value)}"
                meant = closest(value, words)
                advice = f"did you mean '{meant}'?" if meant else "expected " + _alternatives(words)
            case "enum":
                place = self._locator.value(*path)
                message = f"{_label(path)}expected a string, got {_describe(value)}"
                return self.flaw(rules.WRONG_TYPE, path, place, message)
            case _:
                text = details["msg"]
                message = f"{text[:1].lower()}{text[1:]}, got {_describe(value)}"
        place = self._locator.value(*path)
        return self.flaw(rules.BAD_VALUE, path, place, _label(path) + message, advice)

    def _choices(self, model: type[Model], data: object, path: Path) -> Iterator[Flaw]:
        """
        Check the groups of fields of a message and of those inside.

        Pydantic does so only for messages without other mistakes, so it is done again here.
        """
        if not isinstance(data, dict) or self._follows(path):
            return
        known = fields(model)
        for group in model.EXCLUSIVE:
            chosen = [name for name in group if name in data and name in known]
            if len(chosen) > 1:
                yield self._exclusive(chosen, path)
                break
        for group in model.REQUIRED:
            if not any(name in data for name in group) and data.keys() <= {*known, *group}:
                yield self._missing(
                    path, "missing field " + _alternatives(n for n in group if n in known)
                )
        for name, annotation in known.items():
            if name in data:
                yield from self._inner_choices(annotation, data[name], (*path, name))

    def _inner_choices(self, annotation: Any, data: object, path: Path) -> Iterator[Flaw]:
        inner = as_model(annotation)
        if inner is not None:
            yield from self._choices(inner, data, path)
        elif isinstance(data, list) and as_model(element_of(annotation)) is not None:
            for index, item in enumerate(data):
                yield from self._inner_choices(element_of(annotation), item, (*path, index))

    def _exclusive(self, names: list[str], path: Path) -> Flaw:
        *earlier, (place, last) = sorted((self._locator.key(*path, name), name) for name in names)
        quoted = [f"'{name}'" for _, name in earlier] + [f"'{last}'"]
        return self.flaw(
            rules.EXCLUSIVE_FIELDS,
            (*path, last),
            place,
            f"{', '.join(quoted[:-1])} and {quoted[-1]} exclude each other",
            "remove all but one",
            tuple((f"'{name}' is here", other) for other, name in earlier),
        )


def _label(path: Path) -> str:
    """Name the field at the end of a path, as the beginning of a message."""
    indices = ""
    for element in reversed(path):
        if isinstance(element, str):
            return f"{element}{indices}: "
        indices = f"[{element}]{indices}"
    return ""


def _describe(value: object) -> str:
    match value:
        case Surprise():
            return value.reading
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int():
            return f"the integer {value}" if abs(value) < 10**20 else "a huge integer"
        case float():
            return f"the number {value}"
        case str():
            return f"the string {quote(value)}"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _conversion(kind: str, value: object) -> str:
    """Advise how to write a value so that it has the right type."""
    match kind, value:
        case "int_type", str() if value.isascii() and value.isdigit():
            return f"write {value} without quotes"
        case "bool_type", str() if value.lower() in {"true", "false"}:
            return f"write {value.lower()} without quotes"
        case "string_type", bool() | int() | float():
            return f'quote it: "{json.dumps(value)}"'
        case "duration_type", int() | float() if not isinstance(value, bool):
            return f"write {value}s"
        case "tuple_type", _:
            return "begin each item with '- '"
        case _:
            return ""


def _alternatives(names: Any) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} or {last}" if most else last

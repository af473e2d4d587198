"""Label selectors, with the semantics of Kubernetes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from translator.resources.delegation import SelectorOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.resources.delegation import Expression

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,62}")
_ONE_VALUE = frozenset(
    {
        SelectorOperator.EQUALS,
        SelectorOperator.DOUBLE_EQUALS,
        SelectorOperator.NOT_EQUALS,
        SelectorOperator.GREATER_THAN,
        SelectorOperator.LESS_THAN,
    }
)
_NO_VALUE = frozenset({SelectorOperator.EXISTS, SelectorOperator.DOES_NOT_EXIST})
_COMPARISON = frozenset({SelectorOperator.GREATER_THAN, SelectorOperator.LESS_THAN})


def expression_complaint(expression: Expression) -> str:
    """Say why an expression cannot be evaluated; empty if it can (Kubernetes `NewRequirement`)."""
    operator, count = expression.operator, len(expression.values)
    if not _NAME.fullmatch(expression.key.rpartition("/")[2]):
        return f"'{expression.key}' is not a label"
    if operator in _ONE_VALUE and count != 1:
        return f"'{operator}' takes one value, not {count}"
    if operator in _NO_VALUE and count:
        return f"'{operator}' takes no values"
    if operator not in _NO_VALUE and not count:
        return f"'{operator}' needs at least one value"
    for value in expression.values:
        if value and not _NAME.fullmatch(value):
            return f"'{value}' is not the value of a label"
        if operator in _COMPARISON and not _INTEGER.fullmatch(value):
            return f"'{operator}' takes an integer, not '{value}'"
    return ""


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Tell whether labels include all that are wanted."""
    return all(labels.get(key) == value for key, value in wanted.items())


def fulfils(labels: Mapping[str, str], expressions: Iterable[Expression]) -> bool:
    """Tell whether labels fulfil all expressions."""
    return all(_fulfils(labels, expression) for expression in expressions)


def _fulfils(labels: Mapping[str, str], expression: Expression) -> bool:
    value = labels.get(expression.key)
    match expression.operator:
        case SelectorOperator.EXISTS:
            return value is not None
        case SelectorOperator.DOES_NOT_EXIST:
            return value is None
        case SelectorOperator.NOT_EQUALS | SelectorOperator.NOT_IN:
            return value not in expression.values
        case SelectorOperator.GREATER_THAN | SelectorOperator.LESS_THAN:
            if value is None or not _INTEGER.fullmatch(value):
                return False
            limit = int(expression.values[0])
            greater = expression.operator is SelectorOperator.GREATER_THAN
            return int(value) > limit if greater else int(value) < limit
        case _:
            return value in expression.values

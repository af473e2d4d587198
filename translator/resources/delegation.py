"""Which route tables a route leaves its requests to."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from translator.resources.base import (
    Choice,
    Model,
    Ref,
    Text,
    Texts,
    message,
    no_texts,
)


class SelectorOperator(StrEnum):
    """How a label is compared, as in Kubernetes."""

    EQUALS = "Equals"
    DOUBLE_EQUALS = "DoubleEquals"
    NOT_EQUALS = "NotEquals"
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER_THAN = "GreaterThan"
    LESS_THAN = "LessThan"


@message
class Expression(Model):
    """A condition on a label."""

    key: Annotated[Text, Field(min_length=1)]
    """The label."""
    operator: SelectorOperator
    """The comparison."""
    values: tuple[Text, ...] = ()
    """What to compare with."""


@message
class RouteTableSelector(Model):
    """Chooses route tables."""

    namespaces: tuple[Text, ...] = ()
    """Namespaces to look in; `*` is all; empty is that of the delegating resource."""
    labels: Texts = Field(default_factory=no_texts)
    """Labels that a table must have."""
    expressions: tuple[Expression, ...] = ()
    """Conditions on labels that must all hold."""


@message
class DelegateAction(Choice):
    """Leave the routes to route tables."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("ref", "selector", "name"),
        ("ref", "namespace"),
        ("selector", "namespace"),
    )
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = (("ref", "selector", "name"),)

    ref: Ref | None = None
    """One table."""
    selector: RouteTableSelector | None = None
    """All tables that fit."""
    name: Text | None = None
    """Deprecated form of `ref.name`."""
    namespace: Text | None = None
    """Deprecated form of `ref.namespace`."""

"""What a request must look like to take a route."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from translator.resources.base import (
    Choice,
    Flag,
    Model,
    Text,
    message,
)
from translator.resources.sharing import shared


@message
class HeaderMatcher(Model):
    """A condition on a header."""

    name: Annotated[Text, Field(min_length=1)]
    """The header's name, in any case."""
    value: Text = ""
    """The value to compare with; empty means that the header must be present."""
    regex: Flag = False
    """Whether the value is an RE2 expression that must match the whole header value."""
    invert_match: Flag = False
    """Whether the request must not fulfil the condition."""


@message
class QueryParameterMatcher(Model):
    """A condition on a query parameter."""

    name: Annotated[Text, Field(min_length=1)]
    """The parameter's name."""
    value: Text = ""
    """The value to compare with; empty means that the parameter must be present."""
    regex: Flag = False
    """Whether the value is an RE2 expression that must match the whole parameter value."""


@message
class Matcher(Choice):
    """What a request must look like; all conditions must hold."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("prefix", "exact", "regex", "connectMatcher"),
    )
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"connectMatcher": ""})

    prefix: Text | None = None
    """The beginning of the path, as a plain string."""
    exact: Text | None = None
    """The whole path."""
    regex: Text | None = None
    """An RE2 expression that must match the whole path."""
    case_sensitive: Flag | None = None
    """Whether case matters in the path; true if unset."""
    headers: Annotated[tuple[HeaderMatcher, ...], shared()] = ()
    """Conditions on headers."""
    query_parameters: tuple[QueryParameterMatcher, ...] = ()
    """Conditions on query parameters."""
    methods: Annotated[tuple[Text, ...], shared()] = ()
    """The methods that match; all if empty."""

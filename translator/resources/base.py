from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, ClassVar, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from translator.parse import Surprise


def _as_meant(value: object) -> object:
    """Read `yes` where a boolean is wanted and `0x1F` where an integer is: no surprise there."""
    if type(value) is Surprise and value.meant is not None:
        return value.meant
    return value


Text: TypeAlias = Annotated[str, Strict()]
Flag: TypeAlias = Annotated[bool, BeforeValidator(_as_meant), Strict()]
Integer: TypeAlias = Annotated[int, BeforeValidator(_as_meant), Strict()]
UInt32: TypeAlias = Annotated[Integer, Field(ge=0, le=2**32 - 1)]
Port: TypeAlias = Annotated[Integer, Field(ge=1, le=65535)]

_MAX_DURATION_SECONDS = 315_576_000_000
"""The range of google.protobuf.Duration: about 10,000 years."""


def parse_duration(text: object) -> int:
    """
    Read a protobuf duration in its JSON form, such as `3s` or `0.250s`.

    Returns:
        Nanoseconds, not negative (Envoy refuses negative durations while decoding).

    Raises:
        PydanticCustomError: If the text is something else.
    """
    if not isinstance(text, str):
        raise PydanticCustomError("duration_type", "expected a duration such as '3s'")
    number = text.removesuffix("s")
    seconds, dot, fraction = number.partition(".")
    well_formed = (
        number != text
        and seconds.isascii()
        and seconds.isdigit()
        and (not dot or (fraction.isascii() and fraction.isdigit() and len(fraction) <= 9))
    )
    if not well_formed or int(seconds) > _MAX_DURATION_SECONDS:
        raise PydanticCustomError(
            "duration", "expected a duration in seconds such as '3s' or '0.250s'"
        )
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


Duration: TypeAlias = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,9})?s$"}),
]
"""A duration as text; its value is in nanoseconds."""


class Model(BaseModel):
    """
    A message of the resources' API.

    Field names are Gloo's in camelCase; `null` means unset, as in protobuf's JSON. The docstrings
    under the fields describe them; pydantic does not read them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        # A message is built with what it holds when a resource needs it, and the docstrings are
        # left in the source: half of what `penstock check` takes to start.
        defer_build=True,
        extra="forbid",
        frozen=True,
    )

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (camelCase) of which at most one may be set."""
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (camelCase) of which at least one must be set."""
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fields of Gloo that we know and do not support, each with what to do instead, or empty."""


class Choice(Model):
    """A message with fields that exclude each other, or of which one must be set."""

    @model_validator(mode="after")
    def _choose(self) -> Self:
        exclusive, required = _groups(type(self))
        for names in exclusive:
            if sum(getattr(self, name) is not None for name in names) > 1:
                raise PydanticCustomError("choice", "more than one of a group is set")
        for names in required:
            if all(getattr(self, name) is None for name in names):
                raise PydanticCustomError("choice", "none of a group is set")
        return self


@cache
def _groups(model: type[Model]) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Translate the groups into attribute names; of what is not supported there are none."""

    def attributes(groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        known = {field.alias: name for name, field in model.model_fields.items()}
        return tuple(tuple(known[name] for name in group if name in known) for group in groups)

    return attributes(model.EXCLUSIVE), attributes(model.REQUIRED)


class Ref(Model):
    """The name of another resource."""

    name: Annotated[Text, Field(min_length=1)]
    """The name of the resource."""
    namespace: Text = ""
    """The namespace of the resource; what an empty one means depends on the field."""

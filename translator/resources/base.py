from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from functools import cache
from types import MappingProxyType
from typing import (
    Annotated,
    Any,
    ClassVar,
    NoReturn,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
)

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from translator.parse import Surprise
from translator.resources.sharing import NO_TEXTS, shared


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
Texts: TypeAlias = Annotated[Mapping[Text, Text], shared()]
"""Labels, for example."""


def no_texts() -> Mapping[str, str]:
    """Give the value of `Texts` that are not set."""
    return NO_TEXTS


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


T = TypeVar("T")

_CONFIG = ConfigDict(
    alias_generator=to_camel,
    # A message is built with what it holds when a resource needs it: half of what `penstock check`
    # takes to start.
    defer_build=True,
    extra="forbid",
)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def message(cls: type[T]) -> type[T]:
    """
    Make a class a message, in which any field that it does not have is an error.

    A dataclass with slots takes a fifth of the memory of a `BaseModel`, and half of its time.
    """
    return _dataclass(cls, _CONFIG)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def excerpt(cls: type[T]) -> type[T]:
    """Make a class a message of which only some fields are read; the others are ignored."""
    return _dataclass(cls, {**_CONFIG, "extra": "ignore"})


def _dataclass(cls: type[T], config: ConfigDict) -> type[T]:
    # What `Model` does for all messages is not generated for each: half of the time that it takes
    # to make the classes.
    made = dataclass(cls, config=config, kw_only=True, slots=True, eq=False, repr=False)
    return cast("type[T]", made)


@message
class Model:
    """
    A message of the resources' API.

    Field names are Gloo's in camelCase; `null` means unset, as in protobuf's JSON. The docstrings
    under the fields describe them; pydantic does not read them.
    """

    __pydantic_fields__: ClassVar[Mapping[str, FieldInfo]]
    """What pydantic knows about each field."""
    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (camelCase) of which at most one may be set."""
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (camelCase) of which at least one must be set."""
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fields of Gloo that we know and do not support, each with what to do instead, or empty."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        values = zip(self.__pydantic_fields__, _values(self), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


def _values(message: Any) -> tuple[object, ...]:
    return tuple(getattr(message, name) for name in message.__pydantic_fields__)


@message
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


M = TypeVar("M", bound=Model)


def per_message(function: Callable[[type[Model]], T]) -> Callable[[type[Model]], T]:
    """Remember what a function says of each message."""
    # Mypy takes the hash of a class for that of its instances.
    return cast("Callable[[type[Model]], T]", cache(function))


@per_message
def spellings(model: type[Model]) -> Mapping[str, str]:
    """Give the name by which people write each attribute."""
    # Older versions of pydantic make aliases only when they build a message.
    known = model.__pydantic_fields__
    return {name: field.alias or to_camel(name) for name, field in known.items()}


@per_message
def _groups(model: type[Model]) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Translate the groups into attribute names; of what is not supported there are none."""
    known = {written: name for name, written in spellings(model).items()}

    def attributes(groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(known[name] for name in group if name in known) for group in groups)

    return attributes(model.EXCLUSIVE), attributes(model.REQUIRED)


@per_message
def adapter(model: type[Model]) -> TypeAdapter[Any]:
    """Give what reads values as a message, or describes them as a JSON Schema."""
    return TypeAdapter(model)


def validate(model: type[M], data: object) -> M:
    """
    Read a value as a message.

    Raises:
        ValidationError: If it is none.
    """
    return cast("M", adapter(model).validate_python(data))


def changed(original: M, **changes: object) -> M:
    """Copy a message with other values of some fields, which are taken as they are."""
    copy = object.__new__(type(original))
    for name in original.__pydantic_fields__:
        object.__setattr__(copy, name, changes.get(name, getattr(original, name)))
    return copy


@message
class Ref(Model):
    """The name of another resource."""

    name: Annotated[Text, Field(min_length=1)]
    """The name of the resource."""
    namespace: Text = ""
    """The namespace of the resource; what an empty one means depends on the field."""

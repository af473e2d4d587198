"""The models' fields as data: what may stand at a path."""

from __future__ import annotations

from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from translator.resources.base import Model, per_message, spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@per_message
def fields(model: type[Model]) -> Mapping[str, Any]:
    """Give the annotation of each field of a message, by the name that people write."""
    return {
        written: _bare(model.__pydantic_fields__[name].annotation)
        for name, written in spellings(model).items()
    }


def annotation_at(annotation: Any, path: Iterable[str | int]) -> Any:
    """Follow a path through messages, lists and maps; None where it leads nowhere."""
    annotation = _bare(annotation)
    for element in path:
        if (model := as_model(annotation)) is not None:
            annotation = fields(model).get(str(element))
        else:
            annotation = element_of(annotation)
    return annotation


def element_of(annotation: Any) -> Any:
    """Give the annotation of a list's items or a map's values; None for anything else."""
    match get_args(annotation):
        case (item, last):
            return _bare(item if last is Ellipsis else last)
        case _:
            return None


def as_model(annotation: Any) -> type[Model] | None:
    """Give the message that an annotation stands for, if it is one."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Model) else None


def as_words(annotation: Any) -> tuple[str, ...]:
    """Give the words of an enumeration; none if the annotation is not one."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    return ()


def _bare(annotation: Any) -> Any:
    """Take off `Annotated` and `| None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin is Union or origin is UnionType:
            annotation = next(a for a in get_args(annotation) if a is not type(None))
        else:
            return annotation

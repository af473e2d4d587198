from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator.report import Position, ResourceRef

S_co = TypeVar("S_co", covariant=True)


class Locator(Protocol):
    """Finds places in the text that a resource was read from."""

    def value(self, *path: str | int) -> Position:
        """Locate the value at a path of keys and indices; where there is none, its parent."""

    def key(self, *path: str | int) -> Position:
        """Locate the key at the end of a path; where there is none, the value's place."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource(Generic[S_co]):
    """A typed resource and where it was written."""

    ref: ResourceRef
    labels: Mapping[str, str]
    created: str
    """`metadata.creationTimestamp`, or empty."""
    spec: S_co
    """For the kinds of Gloo their `spec`; for core kinds the whole object."""
    locator: Locator
    """Paths start at the document, e.g. `("spec", "routes", 0, "name")`."""

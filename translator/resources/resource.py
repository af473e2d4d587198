from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator.parse import Locator
    from translator.report import ResourceRef

S_co = TypeVar("S_co", covariant=True)


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

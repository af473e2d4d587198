from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translator.report import Diagnostic, Position

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from a document's root, e.g. `("spec", "routes", 0, "name")`."""


class Locator(Protocol):
    """Finds places in the text that a resource was read from."""

    @property
    def origin(self) -> str:
        """The name of the file."""

    def value(self, *path: str | int) -> Position:
        """Locate the value at a path of keys and indices; where there is none, its parent."""

    def key(self, *path: str | int) -> Position:
        """Locate the key at the end of a path; where there is none, the value's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A mistake in the text of a document that does not stop the rest from being read."""

    path: Path
    """The value that is spoilt by it; the empty path is the whole document."""
    diagnostic: Diagnostic
    """The finding, as yet without a resource."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """One document of a file, or one item of a `List`."""

    data: Mapping[str, object]
    """
    Plain values: str, int, float, bool, lists and mappings.

    A mapping holds no null, because null means unset in Kubernetes. A plain scalar that YAML 1.1
    reads as something few people expect is a `Surprise`, so that whoever knows what is expected can
    judge it. Keys may be other scalars than text where the author wrote such.
    """
    locator: Locator
    """Finds places; its paths start at this document."""
    flaws: tuple[Flaw, ...] = ()
    """What is wrong with its text; whoever reads the document reports it with the resource."""

    @property
    def unreadable(self) -> bool:
        """Whether the document is spoilt as a whole; `data` is then at most a beginning of it."""
        return any(not flaw.path for flaw in self.flaws)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedFile:
    """What the bytes of one file hold."""

    origin: str
    """The name of the file, as in the positions."""
    documents: tuple[Document, ...]
    """The documents in the order of the file."""
    diagnostics: tuple[Diagnostic, ...]
    """Mistakes that belong to none of the documents."""

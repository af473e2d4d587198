from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translator.report.rules import Rule, Severity


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """A place in a text, as editors count it."""

    path: str
    """The origin of the text, as the source names it: for a folder, the path below it."""
    line: int
    """The line, from 1."""
    column: int
    """The column in characters, from 1."""
    width: int = 1
    """How many characters the guilty text has on its line, at least 1; the caret's width."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class ResourceRef:
    """The identity of a resource."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """The namespace and name, which identify it among its kind."""
        return self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One mistake, reported once, on the innermost resource that contains it."""

    rule: Rule
    """What kind of mistake it is; gives the code and the severity."""
    resource: ResourceRef | None
    """The guilty resource; None where the text could not be read that far."""
    position: Position
    message: str
    """What is wrong; lower case, no full stop."""
    help: str = ""
    """What to do about it, e.g. a did-you-mean; may be empty."""
    effect: str = ""
    """What it does to traffic; may be empty."""
    related: tuple[tuple[str, Position], ...] = ()
    """Other places that explain it, each with a label such as `first here`."""

    @property
    def code(self) -> str:
        """The stable code, e.g. `PEN301`."""
        return self.rule.code

    @property
    def severity(self) -> Severity:
        """Whether the mistake makes anything invalid."""
        return self.rule.severity

    @property
    def sort_key(self) -> tuple[Position, str, str]:
        """The order in which findings are listed: by file and place, then code and text."""
        return self.position, self.rule.code, self.message

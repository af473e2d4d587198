from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from translator.lower import Affected
    from translator.pipeline import Inputs, Translation
    from translator.report import Diagnostic, Position

__all__ = ["Report", "identity"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, and so in the positions."""


def identity(diagnostic: Diagnostic) -> tuple[str, str, str]:
    """Tell what stays the same of a finding when the lines of its file move."""
    owner = str(diagnostic.resource or diagnostic.position.path)
    return diagnostic.code, owner, diagnostic.message


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that is wrong with some inputs."""

    diagnostics: tuple[Diagnostic, ...]
    """Sorted by place."""
    inputs: Inputs
    """What was checked."""
    locate: Callable[[str], str]
    """Turns an origin into a path that its reader can open."""
    affected: tuple[Affected, ...] = ()
    """Who suffers from a mistake of somebody else, sorted."""
    kinds: frozenset[str] = frozenset()
    """The kinds of which there are resources, broken ones too."""

    @classmethod
    def of(cls, translation: Translation, locate: Callable[[str], str]) -> Self:
        """Report what is wrong with what was translated."""
        return cls(
            diagnostics=translation.diagnostics,
            inputs=translation.inputs,
            locate=locate,
            # Whoever holds a mistake knows what else of it suffers.
            affected=tuple(each for each in translation.affected if each.resource != each.cause),
            kinds=frozenset(
                reading.ref.kind
                for file in translation.files.values()
                for reading in file.readings
                if reading.ref is not None
            ),
        )

    @property
    def files(self) -> int:
        """How many files were checked."""
        return len(self.inputs.files) + len(self.inputs.unreadable)

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)

    def reaches(self, level: Severity) -> bool:
        """Tell whether there is a finding of a severity, or of a worse one."""
        return any(
            diagnostic.severity in {level, Severity.ERROR} for diagnostic in self.diagnostics
        )

    def line(self, position: Position) -> str | None:
        """Return the line of text at a position, if its file could be read that far."""
        lines = self._lines(position.path)
        return lines[position.line - 1] if 0 < position.line <= len(lines) else None

    @functools.cached_property
    def _lines(self) -> Callable[[str], list[str]]:
        @functools.lru_cache(maxsize=1)  # findings come file by file
        def lines(path: str) -> list[str]:
            data = self.inputs.files.get(path)
            return [] if data is None else _BREAK.split(data.decode("utf-8-sig", errors="replace"))

        return lines

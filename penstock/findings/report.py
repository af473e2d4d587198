from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from translator.pipeline import Inputs
    from translator.report import Diagnostic, Position

__all__ = ["Report"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, and so in the positions."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that is wrong with some inputs."""

    diagnostics: tuple[Diagnostic, ...]
    """Sorted by place."""
    inputs: Inputs
    """What was checked."""
    locate: Callable[[str], str]
    """Turns an origin into a path that its reader can open."""

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
            data = self.inputs.files.get(path, b"")
            return _BREAK.split(data.decode("utf-8-sig", errors="replace"))

        return lines

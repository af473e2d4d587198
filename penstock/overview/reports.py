"""The findings of a running server, read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.findings import Report
from penstock.overview.fleet_text import resource_of
from translator.report import Damage, Diagnostic, Position, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ServedReport", "diagnostic_of"]


@dataclass(frozen=True, kw_only=True)
class ServedReport(Report):
    """Everything that is wrong with what a server serves, in its own words and Envoy's."""

    checked: int
    """How many files the server has read."""
    lines: Mapping[Position, str | None] = field(default_factory=dict)
    """The line of text at each position, as far as the server tells it."""

    @classmethod
    def read(cls, reports: Mapping[str, Any]) -> ServedReport:
        """Read the document `/api/v1/reports`."""
        from translator.lower import Affected  # noqa: PLC0415 (takes longer than the question)
        from translator.pipeline import Inputs  # noqa: PLC0415

        found = [(diagnostic_of(each), each["source_line"]) for each in reports["findings"]]
        return cls(
            diagnostics=tuple(diagnostic for diagnostic, _ in found),
            inputs=Inputs(files={}),
            locate=str,
            affected=tuple(
                Affected(
                    resource=resource_of(each["resource"]),
                    route=each["route"],
                    cause=resource_of(each["cause"]),
                )
                for each in reports["affected"]
            ),
            checked=reports["summary"]["files"],
            lines={diagnostic.position: line for diagnostic, line in found},
        )

    @property
    def files(self) -> int:
        """How many files were checked."""
        return self.checked

    def line(self, position: Position) -> str | None:
        """Return the line of text at a position, if the server has told it."""
        return self.lines.get(position)


def diagnostic_of(data: Mapping[str, Any]) -> Diagnostic:
    """Read a finding back, as far as its text needs it; the server may know more rules than we."""
    return Diagnostic(
        rule=Rule(data["code"], Severity(data["severity"]), Damage.NONE, ""),
        resource=data["resource"] and resource_of(data["resource"]),
        position=_position(data, data["width"]),
        message=data["message"],
        help=data["help"],
        effect=data["effect"],
        related=tuple((each["label"], _position(each)) for each in data["related"]),
    )


def _position(data: Mapping[str, Any], width: int = 1) -> Position:
    return Position(path=data["path"], line=data["line"], column=data["column"], width=width)

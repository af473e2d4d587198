"""What was measured, as values, and as the tables that people read."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NO_MARK = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something that was measured several times, over something else of the same run."""

    theme: str
    """The table that it belongs to."""
    name: str
    unit: str
    values: tuple[float, ...]
    yardstick: str
    """What it is compared with."""
    against: tuple[float, ...]
    """That, measured in turns with the values, in the same unit."""
    mark: float | None = None
    """What is to be reached; None if nothing was set."""
    marked: Literal["ratio", "value"] = "value"
    """What the mark is for."""
    growth: tuple[str, int] | None = None
    """What it is a point of, and for how many routes."""

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float:
        return self.value / statistics.median(self.against)

    @property
    def verdict(self) -> str:
        """Tell whether the mark is reached, and how far it is exceeded."""
        if self.mark is None:
            return _NO_MARK
        share = (self.value if self.marked == "value" else self.ratio) / self.mark
        if share <= 1:
            return "met"
        return f"short by {share - 1:.0%}" if share < 2 else f"short, {_number(share)} times"

    @property
    def goal(self) -> str:
        if self.mark is None:
            return _NO_MARK
        return f"{self.mark:g} {self.unit}" if self.marked == "value" else f"{self.mark:g} x"

    def cells(self) -> tuple[str, ...]:
        """Return a row, whose columns are those of `HEADINGS`."""
        return (
            self.name,
            _told(self.values, self.unit),
            f"{_told(self.against, self.unit)}, {self.yardstick}",
            f"{_number(self.ratio)} x",
            self.goal,
            self.verdict,
        )


HEADINGS = ("", "measured", "over", "ratio", "mark", "")


def _told(values: Sequence[float], unit: str) -> str:
    """Write a median, with the range if there is one."""
    median = f"{_number(statistics.median(values))} {unit}"
    if len(values) == 1:
        return median
    return f"{median} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    """Write three digits, and more only before the point."""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, min(3, 2 - math.floor(math.log10(abs(value)))))}f}"


def growth(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """
    Tell how figures grow with the number of routes.

    Returns:
        A row for each kind of figure that was measured at several sizes: its name, its values, and
        from size to size the exponent, which is 1 for what grows as the routes do and 0 for what
        does not depend on them.
    """
    points: dict[str, list[tuple[int, Figure]]] = {}
    for figure in figures:
        if figure.growth is not None:
            kind, routes = figure.growth
            points.setdefault(kind, []).append((routes, figure))
    rows = []
    for kind, found in points.items():
        found.sort(key=lambda point: point[0])
        if len(found) == 1:
            continue
        values = ", ".join(f"{_number(it.value)} {it.unit}" for _, it in found)
        sizes = " to ".join(f"{routes:,}" for routes, _ in found)
        exponents = ", ".join(f"{_exponent(small, large):.2f}" for small, large in pairwise(found))
        rows.append((kind, sizes, values, exponents))
    return rows


def _exponent(small: tuple[int, Figure], large: tuple[int, Figure]) -> float:
    # What was not to be measured at all counts as a thousandth of its unit.
    grown = max(large[1].value, 0.001) / max(small[1].value, 0.001)
    return math.log(grown) / math.log(large[0] / small[0])


GROWTH_HEADINGS = ("", "routes", "measured", "exponents")


def text(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    )
    return "\n".join(lines)


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table for a document."""
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows)
    ).replace("|  |", "| |")


def themes(figures: Iterable[Figure]) -> Iterator[tuple[str, list[Figure]]]:
    """Yield each theme with its figures, in the order in which they were first measured."""
    by_theme: dict[str, list[Figure]] = {}
    for figure in figures:
        by_theme.setdefault(figure.theme, []).append(figure)
    yield from by_theme.items()

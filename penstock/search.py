"""Finding out which of many suspects are at fault, by asking about several at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Search"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Group(Generic[T]):
    suspects: tuple[T, ...]
    or_else: bool
    """Whether somebody in it is at fault if nobody in the group before is."""


class Search(Generic[T]):
    """
    Halves the suspects until each culprit stands alone.

    At least one of them is at fault, perhaps several. `group` is to be asked about next, until
    there is none; then `culprits` tells what was found. Finding c culprits among n suspects takes
    about c * log2(n) questions.
    """

    def __init__(self, suspects: Sequence[T], *, limit: int = 64) -> None:
        """
        Begin to search.

        Args:
            suspects: In any order; those that are next to each other are asked about together.
            limit: How many questions may be asked.
        """
        self.culprits: list[tuple[T, str]] = []
        """Those that are at fault, each with what was said about it."""
        self.questions = 0
        """How many were asked."""
        self._limit = limit
        self._groups = list(_halves(tuple(suspects))) if suspects else []

    @property
    def group(self) -> tuple[T, ...]:
        """The suspects to ask about next, all at once; empty at the end."""
        if not self._groups or self.questions >= self._limit:
            return ()
        return self._groups[0].suspects

    @property
    def undecided(self) -> tuple[T, ...]:
        """Those of which nothing is known when the questions have run out."""
        return tuple(suspect for group in self._groups for suspect in group.suspects)

    def answer(self, *, guilty: bool, text: str = "") -> None:
        """
        Take the answer to the question about the group.

        Args:
            guilty: Whether anybody in it is at fault.
            text: What was said about it.
        """
        self.questions += 1
        group, *rest = self._groups
        if not guilty:
            if rest and rest[0].or_else and len(rest[0].suspects) > 1:
                rest[:1] = _halves(rest[0].suspects)
        elif len(group.suspects) == 1:
            self.culprits.append((group.suspects[0], text))
            rest[:1] = [_Group(each.suspects, or_else=False) for each in rest[:1]]
        else:
            others = [_Group(each.suspects, or_else=False) for each in rest[:1]]
            rest[:1] = [*_halves(group.suspects), *others]
        self._groups = rest


def _halves(suspects: tuple[T, ...]) -> tuple[_Group[T], ...]:
    middle = len(suspects) // 2
    if not middle:
        return (_Group(suspects, or_else=False),)
    return _Group(suspects[:middle], or_else=False), _Group(suspects[middle:], or_else=True)

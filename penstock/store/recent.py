"""What was worked out for one save, for the next one to build on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Recent"]

S = TypeVar("S")
R = TypeVar("R")


class Recent(Generic[S, R]):
    """
    Results, by what they were worked out of.

    What has not changed is the very same object in the next save, and what Envoys have accepted
    by now was served a save ago. So sources are told by identity, whatever part they play, and
    what is new is worked out of what played its part before. Only a save that succeeded is built
    on.
    """

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[S, R]] = {}
        """By part."""
        self._now: dict[Hashable, tuple[S, R]] = {}
        self._known: dict[int, tuple[S, R]] = {}
        """By the identity of the source, which stays alive in here."""

    def get(
        self, part: Hashable, source: S, make: Callable[[S, R | None], R], *, like: Hashable = None
    ) -> R:
        """
        Return what is made of a source.

        Args:
            part: What the source is in this save.
            source: What to work on; never changed afterwards.
            make: Does the work, given what was made of the source that played this part before.
            like: Another part to build on if nobody played this one yet.
        """
        known = self._known.get(id(source))
        if known is None:
            base = self._before.get(part) or self._now.get(like) or self._before.get(like)
            known = source, make(source, base[1] if base is not None else None)
            self._known[id(source)] = known
        self._now[part] = known
        return known[1]

    def settle(self) -> None:
        """Build on what was asked for since the last time, and forget all else."""
        self._before = self._now
        self.drop()

    def drop(self) -> None:
        """Forget what was asked for since the last time."""
        self._now = {}
        self._known = {id(source): (source, made) for source, made in self._before.values()}

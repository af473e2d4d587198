"""How much is measured: at length, or in short to see that it works."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.worlds import L, M, S, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How large the worlds are, and how often everything is done."""

    worlds: tuple[World, ...] = (S, M, L)
    rounds: int = 15
    """How many edits, pushes and the like."""
    starts: int = 3
    """How many processes are started of a kind."""
    streams: int = 1_000
    clusters: int = 10_000
    burst: int = 1_000
    """How many files are saved in a burst."""
    burst_seconds: float = 10.0
    complete: bool = True
    """Whether the numbers are those that marks were set for."""

    def rounds_at(self, world: World) -> int:
        """Return how often to do something that takes long in a large world."""
        return min(self.rounds, 7) if world.tables >= L.tables else self.rounds

    def starts_at(self, world: World) -> int:
        """Return how often to start in a large world."""
        return min(self.starts, 2) if world.tables >= L.tables else self.starts

    def nearest(self, wanted: World) -> World:
        """Return a world, or the largest below it that is asked for."""
        return max(
            (world for world in self.worlds if world.tables <= wanted.tables),
            key=lambda world: world.tables,
            default=self.worlds[0],
        )


SHORT = Effort(
    worlds=(S,),
    rounds=3,
    starts=1,
    streams=100,
    clusters=1_000,
    burst=100,
    burst_seconds=1.0,
    complete=False,
)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from penstock.errors import SourceError
    from translator.pipeline import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that a source held at one moment."""

    inputs: Inputs
    noticed: float
    """When the change was first noticed, by the monotonic clock; the text may be read later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A source that could be read before and cannot be read now; what was read stays true."""

    error: SourceError


SourceEvent: TypeAlias = Observation | Outage


class Source(Protocol):
    """
    Where the resources come from.

    Its methods are called from one task each, `refresh` from anywhere in the event loop.
    """

    @property
    def name(self) -> str:
        """What users call it, e.g. the folder's path; findings' paths start with it."""

    def locate(self, origin: str) -> str:
        """Turn an origin of the inputs into what its author would open."""

    async def first(self) -> Observation:
        """
        Read everything once.

        Raises:
            SourceError: There is nothing to start with.
        """

    def events(self) -> AsyncGenerator[SourceEvent, None]:
        """
        Yield what is read whenever it differs from what was read before, for ever.

        An outage is yielded once when it begins and whenever its reason changes. The first
        observation after one is yielded even if it equals the last one before. Bursts of changes
        are coalesced; a consumer that is slow gets the newest state next, never a queue of old
        ones.
        """

    def refresh(self) -> None:
        """Look again at once, and yield what is read even if it equals the last one."""

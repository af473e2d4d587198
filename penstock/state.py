"""Where the program stands, as immutable values that anybody may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from penstock.findings import identity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from translator import ir
    from translator.pipeline import Translation
    from translator.report import Diagnostic
    from xds.snapshot import Snapshot

__all__ = ["Finding", "Outage", "Publication", "Reload", "Result", "Saving", "State"]


class Result(StrEnum):
    """What became of a reload."""

    PUBLISHED = "published"
    """Some proxy is served something else."""
    UNCHANGED = "unchanged"
    """Every proxy is served what it was."""
    FAILED = "failed"
    """A bug of ours; what was served stays."""
    LOST = "lost"
    """The resources could not be read; what was served stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """One attempt to serve what the source holds."""

    result: Result
    at: datetime
    """When it was finished."""
    seconds: float
    """How long it took since the change was noticed."""
    error: str = ""
    """Why it failed, or why the source could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A diagnostic, and since when it is true."""

    diagnostic: Diagnostic
    since: datetime

    @property
    def identity(self) -> tuple[str, str, str]:
        """What stays the same when the lines of a file move."""
        return identity(self.diagnostic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What one proxy is served."""

    proxy: ir.Proxy
    snapshot: Snapshot
    since: datetime
    generation: int
    """The reload that it came with."""
    noticed: float
    """When the change behind it was noticed, by the monotonic clock."""
    loaded: bool = False
    """Whether the snapshot is an earlier process's, which tells nothing of the proxy but its
    name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A source that cannot be read."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The last attempt to save what is served for the next start."""

    directory: str
    problem: str = ""
    """Why it failed, or will; empty if it did not."""
    written: bool = False
    """Whether there was anything to write."""
    seconds: float = 0.0
    """How long it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the controller knows."""

    generation: int = 0
    """How many translations were published; 0 means that nothing can be served yet."""
    reload: Reload | None = None
    """The last one."""
    outage: Outage | None = None
    """Why the source cannot be read, if it cannot."""
    translation: Translation | None = None
    """The newest one, published or not."""
    findings: tuple[Finding, ...] = ()
    """What is wrong, sorted by place."""
    proxies: Mapping[str, Publication] = field(default_factory=lambda: MappingProxyType({}))
    """What is served, by proxy, sorted."""
    saving: Saving | None = None
    """Whether it is safe on disk; None if it is not to be."""
    held: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """The proxies that are held at their last good routes, with since when."""
    routes: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    """By proxy, how many of its routes are served, replaced, kept, held and left out."""

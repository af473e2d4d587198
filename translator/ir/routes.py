from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translator.ir.actions import HeaderEdits, Split

if TYPE_CHECKING:
    from translator.ir.actions import Action, RetryPolicy
    from translator.ir.matches import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The resource that something came from; written into Envoy's metadata."""

    kind: str
    namespace: str
    name: str
    route: str = ""
    """The route's name, or its place as `#<index>`; empty for what is no route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What happens to a request on its way."""

    prefix_rewrite: str | None = None
    """Replaces what a prefix matched; the empty string strips it."""
    host_rewrite: str | None = None
    timeout: int | None = None
    """Nanoseconds; None leaves Envoy's 15 s."""
    retries: RetryPolicy | None = None
    headers: HeaderEdits = HeaderEdits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of a route table as Envoy walks it."""

    name: str
    """Unique in its virtual host, and independent of other tables and of the order."""
    identity: str
    """What it is recognised by after an edit: its own name or, without one, its table and what it
    matches. Shared by the entries that one written route became, and by no others of its virtual
    host."""
    match: Match
    action: Action | None
    """None only on an invalid route whose action could not be understood."""
    options: Options = Options()
    source: Source
    faults: tuple[str, ...] = ()
    """The codes of the mistakes that make the whole route invalid; sorted."""
    replaceable: bool = True
    """Whether something else may answer what the route matches. False only on an invalid route:
    Envoy would refuse its matcher, or it reaches beyond what was delegated to its table."""

    @property
    def valid(self) -> bool:
        """Whether the route can be served as written."""
        if self.faults or self.action is None:
            return False
        return not isinstance(self.action, Split) or not any(
            member.faults for member in self.action.members
        )

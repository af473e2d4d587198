"""Findings while they are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from translator.report import Diagnostic, Position, ResourceRef

if TYPE_CHECKING:
    from translator.ir import Match, Source
    from translator.report import Rule
    from translator.resources import Resource

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands in a document."""

Blame: TypeAlias = tuple[ResourceRef, str]
"""A resource, and the label of one of its routes or the empty string for all of it."""


@lru_cache(maxsize=65536)
def _joined(path: Path, more: Path) -> Path:
    """Join two paths; the same ones occur in every table, and are to be there once."""
    return (*path, *more)


@dataclass(frozen=True, slots=True)
class Place:
    """Something in a resource's text; its position is looked up only when it is needed."""

    resource: Resource[object]
    path: Path

    def at(self, *path: str | int) -> Place:
        """Go further down."""
        return Place(self.resource, _joined(self.path, path))

    @property
    def value(self) -> Position:
        """The position of the value."""
        return self.resource.locator.value(*self.path)

    @property
    def key(self) -> Position:
        """The position of the key that the value stands under."""
        return self.resource.locator.key(*self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A diagnostic whose effect on traffic depends on what is served in the place of routes."""

    diagnostic: Diagnostic
    blame: Blame
    """What is served only when the mistake is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A written route that is invalid because of some mistake."""

    source: Source
    """The route."""
    matches: tuple[Match, ...]
    """The requests that it would have taken."""


@dataclass(slots=True)
class Findings:
    """Collects the findings on one resource, or on one of its routes."""

    resource: Resource[object]
    route: str = ""
    """The label of the route; empty for the resource itself."""
    found: list[Finding] = field(default_factory=list)

    def add(
        self,
        rule: Rule,
        position: Position | Place,
        message: str,
        *,
        help: str = "",  # noqa: A002  the word of Diagnostic
        effect: str = "",
        related: tuple[tuple[str, Position], ...] = (),
    ) -> str:
        """Add a finding, and return its code."""
        diagnostic = Diagnostic(
            rule=rule,
            resource=self.resource.ref,
            position=position.value if isinstance(position, Place) else position,
            message=message,
            help=help,
            effect=effect,
            related=related,
        )
        self.found.append(Finding(diagnostic=diagnostic, blame=(self.resource.ref, self.route)))
        return rule.code

    def on_route(self, route: str) -> Findings:
        """Collect into the same list, for a route."""
        return Findings(self.resource, route, self.found)

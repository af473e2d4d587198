"""Findings while they are collected, and the words for what they do to traffic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from translator.report import Diagnostic, Position, ResourceRef, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.ir import Match
    from translator.report import Rule
    from translator.resources import Resource

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands in a document."""

Blame: TypeAlias = tuple[ResourceRef, str]
"""A resource, and the label of one of its routes or the empty string for all of it."""

_MATCHES_IN_AN_EFFECT = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Something in a resource's text; its position is looked up only when it is needed."""

    resource: Resource[object]
    path: Path

    def at(self, *path: str | int) -> Place:
        """Go further down."""
        return Place(self.resource, (*self.path, *path))

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
    """A diagnostic whose effect is not known yet."""

    diagnostic: Diagnostic
    blame: Blame
    """What is served only when the mistake is gone."""


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


def effect_on_routes(matches: Iterable[Match]) -> str:
    """
    Say what a mistake does to the requests that the invalid routes match.

    The one place for these words: they will depend on the policy for what is invalid.
    """
    texts = list(dict.fromkeys(str(match) for match in matches))
    if not texts:
        return ""
    more = len(texts) - _MATCHES_IN_AN_EFFECT
    listed = texts[:_MATCHES_IN_AN_EFFECT] + ([f"{more} more"] if more > 0 else [])
    routes = "this route" if len(texts) == 1 else "these routes"
    return (
        f"requests to {' and to '.join(listed)} are not served by {routes};"
        " all other routes keep serving"
    )


def finish(found: Iterable[Finding], served: Mapping[Blame, list[Match]]) -> list[Diagnostic]:
    """
    Give every error its effect, and drop what was found twice.

    Args:
        found: The findings, in any order.
        served: The matches that are not served, by what is to blame.
    """
    diagnostics: dict[tuple[object, ...], Diagnostic] = {}
    for finding in found:
        diagnostic = finding.diagnostic
        if diagnostic.severity is Severity.ERROR and not diagnostic.effect:
            effect = effect_on_routes(served.get(finding.blame, ()))
            diagnostic = replace(diagnostic, effect=effect)
        key = (diagnostic.code, diagnostic.resource, diagnostic.position)
        diagnostics.setdefault(key, diagnostic)
    return sorted(diagnostics.values(), key=lambda diagnostic: diagnostic.sort_key)

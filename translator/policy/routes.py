"""What stands in the place of one invalid route."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from translator import ir

if TYPE_CHECKING:
    from translator.policy.mode import InvalidConfig

WHOLE = 1_000_000
"""All requests; shares are in millionths, as Envoy counts them."""


def replaced(route: ir.Route, policy: InvalidConfig) -> tuple[ir.Route, ...]:
    """
    Answer with an error where a route is invalid.

    Of a split only the share of its invalid members is answered so. A copy of the route in front
    takes that share of the requests, and the good members divide the rest by their weights, which
    leaves each with exactly the share that is written. A route whose matcher is not known cannot
    be answered at all.
    """
    if not route.replaceable:
        return ()
    error = replace(
        route,
        action=ir.DirectResponse(status=policy.code, body=policy.body),
        options=ir.Options(),
        faults=(),
    )
    share = lost_share(route)
    if share == WHOLE or not isinstance(route.action, ir.Split):
        return (error,)
    good = tuple(member for member in route.action.members if not member.faults)
    rest = replace(route, action=ir.Split(members=good))
    if share == 0:
        return (rest,)
    match = replace(route.match, share=share)
    return replace(error, name=f"{route.name}!", match=match), rest


def lost_share(route: ir.Route) -> int:
    """Return how many in a million requests of a route cannot be served as written."""
    if route.faults or not isinstance(route.action, ir.Split):
        return 0 if route.valid else WHOLE
    total = sum(member.weight for member in route.action.members)
    lost = sum(member.weight for member in route.action.members if member.faults)
    if lost in {0, total}:
        return WHOLE if lost else 0
    # At least one in a million, and not all, since both shares are there.
    return min(max(round(lost * WHOLE / total), 1), WHOLE - 1)


def groups(routes: tuple[ir.Route, ...]) -> list[tuple[ir.Route, ...]]:
    """Put the Envoy routes that one authored route became back together."""
    grouped: dict[str, list[ir.Route]] = {}
    for route in routes:
        grouped.setdefault(route.identity, []).append(route)
    return [tuple(group) for group in grouped.values()]

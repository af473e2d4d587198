"""What stands in the place of one invalid route."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from translator import ir

if TYPE_CHECKING:
    from translator.policy.mode import InvalidConfig

_MILLION = 1_000_000


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
    if route.faults or not isinstance(route.action, ir.Split):
        return (error,)
    members = route.action.members
    good = tuple(member for member in members if not member.faults)
    total = sum(member.weight for member in members)
    lost = total - sum(member.weight for member in good)
    if lost == total:
        return (error,)
    rest = replace(route, action=ir.Split(members=good))
    if lost == 0:
        return (rest,)
    # At least one in a million, and not all, since both shares are there.
    share = min(max(round(lost * _MILLION / total), 1), _MILLION - 1)
    match = replace(route.match, share=share)
    return replace(error, name=f"{route.name}!", match=match), rest


def groups(routes: tuple[ir.Route, ...]) -> list[tuple[ir.Route, ...]]:
    """Put the Envoy routes that one authored route became back together."""
    grouped: dict[str, list[ir.Route]] = {}
    for route in routes:
        grouped.setdefault(route.identity, []).append(route)
    return [tuple(group) for group in grouped.values()]

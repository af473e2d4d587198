"""From the routes of Envoys to those that calls take, with no more than gRPC makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm
from typing import TYPE_CHECKING, Final, assert_never

import re2

from translator import ir
from translator.emit.routes import divided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from translator.emit.proxyless.backends import Share

    Divide: TypeAlias = Callable[[ir.Destination], Sequence[Share]]
    """Tells among which clusters a destination is divided."""

_METHOD: Final = "POST"
"""The method of every call (gRPC over HTTP/2)."""
_PSEUDO_HEADER: Final = ":method"
_MAX_WEIGHT: Final = 2**32 - 1
"""The most that the weights of a split may sum to, in Envoy's API as in gRPC."""
_RETRIABLE: Final = frozenset(
    {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
)
"""The conditions of a retry that gRPC knows (gRFC A44)."""
_NO_OPTIONS: Final = ir.Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Routes of one table in one row."""

    routes: tuple[ir.Route, ...]
    """As Envoys have them."""
    calls: tuple[ir.Route, ...]
    """What became of those that a call can take."""
    destinations: frozenset[ir.Destination]
    """Where these led."""


def rewritten(
    routes: tuple[ir.Route, ...],
    divide: Divide,
    before: Iterable[Run],
    moved: set[ir.Destination],
) -> tuple[Run, ...]:
    """
    Rewrite the routes of a virtual host, run by run.

    Args:
        routes: As Envoys have them; every one is valid.
        divide: Divides a destination.
        before: What this function made of the same virtual host before, or of another one.
        moved: The destinations that were divided in another way then.
    """
    known = {run.routes[0].name: run for run in before}
    return tuple(_run(part, known.get(part[0].name), divide, moved) for part in divided(routes))


def _run(
    routes: tuple[ir.Route, ...], before: Run | None, divide: Divide, moved: set[ir.Destination]
) -> Run:
    if before is not None and before.routes == routes and before.destinations.isdisjoint(moved):
        return before
    taken = [(route, match) for route in routes if (match := _call_match(route.match)) is not None]
    return Run(
        routes=routes,
        calls=tuple([_call(route, match, divide) for route, match in taken]),
        destinations=frozenset([each for route, _ in taken for each in _destinations(route)]),
    )


def _call(route: ir.Route, match: ir.Match, divide: Divide) -> ir.Route:
    """
    Rewrite a route.

    Rewrites and header edits do not exist there: a client sends what the application says. Its
    timeouts come from the application too. gRPC has a field for one (gRFC A31), but C-core counts
    from the wrong moment and ends calls up to two seconds early (grpc/grpc 40633), so that a short
    one would fail them all.
    """
    retries = _retries(route.options.retries)
    return replace(
        route,
        match=match,
        action=_action(route.action, divide),
        options=_NO_OPTIONS if retries is None else ir.Options(retries=retries),
    )


def _call_match(match: ir.Match) -> ir.Match | None:
    """
    Leave out what is true of every call; None if no call can match.

    A call has no query, and its method is always the same. gRPC checks neither: it drops routes
    with a condition on the query, and does not find the pseudo-header.
    """
    if match.query or (match.methods and _METHOD not in match.methods):
        return None
    if not all(_is_met(header) for header in match.headers if header.name == _PSEUDO_HEADER):
        return None
    headers = tuple([header for header in match.headers if header.name != _PSEUDO_HEADER])
    if not match.methods and len(headers) == len(match.headers):
        return match
    return replace(match, methods=(), headers=headers)


def _is_met(header: ir.HeaderMatch) -> bool:
    """Tell whether the method of a call fulfils a condition on it."""
    match header.kind:
        case ir.ValueKind.PRESENT:
            met = True
        case ir.ValueKind.EXACT:
            met = header.value == _METHOD
        case ir.ValueKind.REGEX:
            met = re2.fullmatch(header.value, _METHOD) is not None
    return met is not header.invert


def _retries(policy: ir.RetryPolicy | None) -> ir.RetryPolicy | None:
    if policy is None or not policy.num_retries:  # gRPC refuses a policy of none
        return None
    conditions = [each.strip() for each in policy.retry_on.split(",")]
    known = ",".join(each for each in conditions if each in _RETRIABLE)
    return ir.RetryPolicy(retry_on=known, num_retries=policy.num_retries) if known else None


def _action(action: ir.Action | None, divide: Divide) -> ir.Action | None:
    """
    Rewrite what a route does.

    What is no forwarding stays in its place: a client fails the calls that take it, and no other
    route gets them.
    """
    match action:
        case ir.Forward(destination=destination):
            parts = [(1, divide(destination))]
        case ir.Split(members=members):
            parts = [(member.weight, divide(member.destination)) for member in members]
        case ir.Redirect():
            return ir.Redirect()
        case ir.DirectResponse(status=status):
            return ir.DirectResponse(status=status)
        case None:
            return None
        case _:
            assert_never(action)
    weights = _weights(parts)
    if len(weights) == 1:
        return ir.Forward(destination=ir.Destination(cluster=weights[0][0]))
    return ir.Split(
        members=tuple(
            [
                ir.WeightedDestination(destination=ir.Destination(cluster=cluster), weight=weight)
                for cluster, weight in weights
            ]
        )
    )


def _weights(parts: Sequence[tuple[int, Sequence[Share]]]) -> list[tuple[str, int]]:
    """Multiply the weights of a split with those of the shares of each member."""
    sums = [sum([share.weight for share in shares]) for _, shares in parts]
    scale = lcm(*sums)
    weights = [
        (share.backend.name, weight * share.weight * (scale // total))
        for (weight, shares), total in zip(parts, sums, strict=True)
        for share in shares
    ]
    total = sum([weight for _, weight in weights])
    if total > _MAX_WEIGHT:  # nobody sees the difference
        shrink = total // (_MAX_WEIGHT - len(weights)) + 1
        weights = [(name, -(-weight // shrink)) for name, weight in weights]
    return weights


def _destinations(route: ir.Route) -> Iterator[ir.Destination]:
    match route.action:
        case ir.Forward(destination=destination):
            yield destination
        case ir.Split(members=members):
            for member in members:
                yield member.destination

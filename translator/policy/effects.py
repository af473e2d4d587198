"""The words for what a mistake does to traffic; decided here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translator.policy.decisions import Outcome
from translator.policy.mode import InvalidConfig, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from translator.ir import Source
    from translator.lower import Victim
    from translator.policy.serve import Served
    from translator.report import ResourceRef

_LISTED = 3
"""How many matchers or tables a sentence names."""


def held_by(
    victims: Sequence[Victim], invalid: Sequence[ResourceRef], served: Mapping[str, Served]
) -> tuple[str, ...]:
    """
    Find the proxies that a mistake holds at their last good routes.

    Args:
        victims: The routes that it breaks.
        invalid: The resources that it breaks as a whole.
        served: What each proxy is served.
    """
    return tuple(
        name
        for name, proxy in served.items()
        if proxy.held
        and (
            any(victim.source in proxy.outcomes for victim in victims)
            or any(ref in proxy.invalid for ref in invalid)
        )
    )


def hold(proxies: Sequence[str], served: Mapping[str, Served]) -> str:
    """Say that some proxies are held, and who waits for them; empty without any."""
    if not proxies:
        return ""
    waiting = dict.fromkeys(_table(table) for name in proxies for table in served[name].waiting)
    return f"{held_phrase(proxies)}{_waits(list(waiting))}"


def effect(
    victims: Iterable[Victim],
    invalid: Sequence[ResourceRef],
    held: str,
    served: Mapping[str, Served],
    policy: InvalidConfig,
) -> str:
    """
    Say what a mistake does to the requests that the routes it breaks would have taken.

    Args:
        victims: The broken routes.
        invalid: The resources that it breaks as a whole.
        held: What is said of the proxies that it holds.
        served: What each proxy is served in the place of what is broken.
        policy: The policy in force.
    """
    requests: dict[tuple[Outcome, str], dict[str, None]] = {}
    for victim in victims:
        for proxy in served.values():
            outcome = proxy.outcomes.get(victim.source)
            if outcome is None:
                continue
            share = proxy.shares.get(victim.source) if outcome is Outcome.REPLACED else None
            portion = "" if share is None else f"{share / 10_000:.4g} % of the "
            requests.setdefault((outcome, portion), {}).update(
                dict.fromkeys(map(str, victim.matches))
            )
    sentences = [
        _sentence(outcome, f"{portion}requests to {_listed(list(matches), ' and to ')}", policy)
        for (outcome, portion), matches in sorted(requests.items())
        if outcome is not Outcome.HELD
    ]
    if held:
        sentences.append(held)
    elif sentences:
        sentences.append("all other routes keep serving")
    return "; ".join(sentences) or _as_a_whole(invalid, served)


def held_phrase(proxies: Sequence[str]) -> str:
    """Say that some proxies are held; whoever knows since when puts it behind this."""
    if len(proxies) == 1:
        return f"proxy {proxies[0]} is held at its last good routes"
    return f"proxies {_listed(proxies, ', ')} are held at their last good routes"


def _sentence(outcome: Outcome, requests: str, policy: InvalidConfig) -> str:
    match outcome:
        case Outcome.KEPT:
            return f"{requests} keep their last good route"
        case Outcome.LEFT_OUT:
            return "the route is not served"
        case _ if policy.mode is Mode.HOLD:
            # Nothing good was served yet, or nobody is being served at all.
            return f"{requests} get {policy.code} unless a last good configuration is held"
        case _:
            return f"{requests} get {policy.code}"


def _as_a_whole(invalid: Iterable[ResourceRef], served: Mapping[str, Served]) -> str:
    """Say what becomes of gateways and virtual services of which no route of their own is lost."""
    for ref in invalid:
        if any(ref in proxy.invalid for proxy in served.values()):
            return f"{ref} stays as it was when it was good last"
        nothing = {
            "Gateway": "it does not listen",
            "VirtualService": "none of its routes is served",
        }.get(ref.kind)
        if nothing is not None:
            return f"{nothing} unless a last good version stands in"
    return ""


def _waits(tables: list[str]) -> str:
    if not tables:
        return ""
    return f"; {_listed(tables, ', ')} {'waits' if len(tables) == 1 else 'wait'}"


def _listed(items: Sequence[str], separator: str) -> str:
    more = len(items) - _LISTED
    shown = [*items[:_LISTED], *([f"{more} more"] if more > 0 else [])]
    return separator.join(shown)


def _table(source: Source) -> str:
    return f"{source.namespace}/{source.name}"

"""The words for what a mistake does to traffic; decided here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translator.policy.mode import InvalidConfig, Mode
from translator.policy.serve import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.ir import Source
    from translator.lower import Victim
    from translator.policy.serve import Served

_LISTED = 3
"""How many matchers or tables a sentence names."""


def effect(victims: Iterable[Victim], served: Mapping[str, Served], policy: InvalidConfig) -> str:
    """
    Say what a mistake does to the requests that the routes it breaks would have taken.

    Args:
        victims: The broken routes.
        served: What each proxy is served in their place.
        policy: The policy in force.
    """
    requests: dict[tuple[Outcome, str], dict[str, None]] = {}
    proxies: list[str] = []
    waiting: dict[str, None] = {}
    for victim in victims:
        for name, proxy in served.items():
            outcome = proxy.outcomes.get(victim.source)
            if outcome is None:
                continue
            share = proxy.shares.get(victim.source) if outcome is Outcome.REPLACED else None
            portion = "" if share is None else f"{share / 10_000:.4g} % of the "
            requests.setdefault((outcome, portion), {}).update(
                dict.fromkeys(map(str, victim.matches))
            )
            if outcome is Outcome.HELD and name not in proxies:
                proxies.append(name)
                waiting.update(dict.fromkeys(map(_table, proxy.waiting)))
    sentences = [
        _sentence(outcome, f"{portion}requests to {_listed(list(matches), ' and to ')}", policy)
        for (outcome, portion), matches in sorted(requests.items())
        if outcome is not Outcome.HELD
    ]
    if proxies:
        sentences.append(f"{_held(proxies)}{_waits(list(waiting))}")
    elif sentences:
        sentences.append("all other routes keep serving")
    return "; ".join(sentences)


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


def _held(proxies: list[str]) -> str:
    if len(proxies) == 1:
        return f"proxy {proxies[0]} is held at its last good routes"
    return f"proxies {_listed(proxies, ', ')} are held at their last good routes"


def _waits(tables: list[str]) -> str:
    if not tables:
        return ""
    return f"; {_listed(tables, ', ')} {'waits' if len(tables) == 1 else 'wait'}"


def _listed(items: list[str], separator: str) -> str:
    more = len(items) - _LISTED
    shown = items[:_LISTED] + ([f"{more} more"] if more > 0 else [])
    return separator.join(shown)


def _table(source: Source) -> str:
    return f"{source.namespace}/{source.name}"

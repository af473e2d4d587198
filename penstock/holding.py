"""
What became of the routes of each proxy, and since when it is held.

The translator decides who is held and because of whom, and knows no clock; the time is added here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from penstock.moments import clock
from translator.policy import Outcome, held_phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from translator.pipeline import Translation
    from translator.policy import Served
    from translator.report import Diagnostic

__all__ = ["FATES", "count_routes", "dated", "held_since"]

_SERVED: Final = "served"
FATES: Final = (_SERVED, *(outcome.name.lower() for outcome in Outcome))
"""What may become of a written route, as programs read it."""


def held_since(
    before: Mapping[str, datetime], translation: Translation, now: datetime
) -> Mapping[str, datetime]:
    """
    Tell since when each held proxy is.

    Args:
        before: What was told last.
        translation: Which of them are held now.
        now: When those that were not yet became it.
    """
    return MappingProxyType(
        {name: before.get(name, now) for name, served in translation.served.items() if served.held}
    )


def count_routes(served: Served) -> Mapping[str, int]:
    """Count the written routes of a proxy by what became of them."""
    counts = Counter(outcome.name.lower() for outcome in served.outcomes.values())
    counts[_SERVED] = served.as_written
    return MappingProxyType({fate: counts[fate] for fate in FATES})


def dated(
    diagnostics: Iterable[Diagnostic],
    holding: Mapping[str, tuple[Diagnostic, ...]],
    since: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Diagnostic]:
    """
    Say in the effects of findings since when they hold a proxy.

    Args:
        diagnostics: The findings.
        holding: For each proxy that is held, those that hold it.
        since: Since when each is held.
        now: The reader's time.
    """
    names: dict[Diagnostic, list[str]] = {}
    for name, found in holding.items():
        for diagnostic in found:
            names.setdefault(diagnostic, []).append(name)
    for diagnostic in diagnostics:
        held = names.get(diagnostic, ())
        times = sorted({since[name] for name in held if name in since})
        if not times:
            yield diagnostic
            continue
        phrase = held_phrase(held)
        listed = " and ".join(clock(time, now) for time in times)
        effect = diagnostic.effect.replace(phrase, f"{phrase} since {listed}", 1)
        yield replace(diagnostic, effect=effect)

"""The Envoys of a proxy, for people."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from penstock.connections import Standing
from penstock.findings.excerpt import visible
from penstock.findings.text import count, paint
from penstock.moments import clock
from penstock.overview.fleet import groups, standing_of
from translator.report import ResourceRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from penstock.overview.fleet import Group, Kind

__all__ = [
    "BAD",
    "MOST",
    "FleetText",
    "guilty_text",
    "resource_of",
    "standing_text",
    "standings_text",
]

BAD: Final = "1;31"
"""The tone of what is wrong."""
MOST: Final = 20
"""How many lines or groups a list has; `-o json` has all."""
_MOST_NAMES: Final = 8
"""How many Envoys of a group are named."""
_MOST_CAUSES: Final = 3
"""How many findings are pointed to for one refusal."""
_LONGEST: Final = 900
"""How many characters of a refusal are shown; Envoy may quote a whole resource."""
_TONES: Final = {Standing.SYNCED: "32", Standing.STALE: "33", Standing.REJECTED: BAD}


class FleetText:
    """Writes what is known of Envoys."""

    def __init__(
        self, now: datetime, findings: Sequence[Mapping[str, Any]], *, colour: bool
    ) -> None:
        """
        Prepare to write.

        Args:
            now: The server's time.
            findings: What is wrong with the resources, as the server describes it.
            colour: Whether to paint with ANSI escape sequences.
        """
        self._now = now
        self._findings = findings
        self._colour = colour

    def lines(self, what: str, envoys: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """
        Yield the lines about the Envoys, or other clients, of one proxy.

        Args:
            what: What they are called.
            envoys: The clients, as the server describes them.
        """
        found = groups(envoys)
        for group in found[:MOST]:
            yield from self._group(what, group)
        others = [envoy for group in found[MOST:] for envoy in group.envoys]
        if others:
            yield f"  and {count(len(others), f'more {what}')}: {standings_text(what, others)}"

    def _group(self, what: str, group: Group) -> Iterator[str]:
        """Yield what a group has to say; a group of one in the words of one."""
        state = (
            standing_text(group.standing, colour=self._colour)
            if group.served
            else self._bad("UNSERVED")
        )
        facts = [_most(envoy[key] for envoy in group.envoys) for key in ("agent", "protocol")]
        # Without ADS an Envoy has a stream for each type.
        carried = _most(envoy.get("carries", "*") for envoy in group.envoys)
        if carried != "*":
            facts.append(f"{_short(carried)} only")
        if len(group.envoys) == 1:
            (envoy,) = group.envoys
            name = f"{what} {visible(envoy['node'] or '?')}"
            facts.append(f"from {visible(envoy['peer'])}")
            if envoy.get("identity"):
                facts.append(f"as {visible(envoy['identity'])}")
        else:
            name = count(len(group.envoys), what)
        yield f"  {name}  {state}  {', '.join(filter(None, facts))}"
        if len(group.envoys) > 1:
            names = [visible(envoy["node"] or "?") for envoy in group.envoys]
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            yield f"    {', '.join(names[:_MOST_NAMES])}{more}"
        width = max((len(_short(kind.type_url)) for kind in group.kinds), default=0)
        for kind in group.kinds:
            yield from self._kind(kind, width)

    def _kind(self, kind: Kind, width: int) -> Iterator[str]:
        # The padding stands outside of the colours.
        state = standing_text(kind.standing, colour=self._colour)
        state += " " * (len(Standing.REJECTED) - len(kind.standing))
        parts = [f"    {_short(kind.type_url):{width}}", state, self._since(kind), _versions(kind)]
        yield "  ".join(filter(None, parts)).rstrip()
        if kind.standing is not Standing.REJECTED:
            return
        refused = ", ".join(map(visible, kind.names)) or "an update"
        yield f"      {self._bad('refused')} {refused}: {_shortened(visible(kind.text))}"
        for finding in itertools.islice(self._causes(kind), _MOST_CAUSES):
            yield f"        see {finding['code']} in {guilty_text(finding)}"

    def _causes(self, kind: Kind) -> Iterator[Mapping[str, Any]]:
        """Yield the findings on resources that the refusal names, as Envoy or we call them."""
        for finding in self._findings:
            resource = finding["resource"]
            if not resource:
                continue
            name, namespace = resource["name"], resource["namespace"]
            known_as = (f"{name}_{namespace}", f"{namespace}_{name}", f"{namespace}/{name}")
            if any(_mentions(text, each) for text in (*kind.names, kind.text) for each in known_as):
                yield finding

    def _since(self, kind: Kind) -> str:
        if kind.since is None:
            return ""
        first, last = map(self._clock, kind.since)
        return f"since {first}" if first == last else f"since {first} to {last}"

    def _clock(self, moment: str) -> str:
        return clock(datetime.fromisoformat(moment), self._now)

    def _bad(self, text: str) -> str:
        return paint(text, BAD, colour=self._colour)


def standing_text(standing: Standing, *, colour: bool) -> str:
    """Write where somebody stands, in the tone of how bad that is."""
    return paint(standing, _TONES[standing], colour=colour)


def standings_text(what: str, envoys: Sequence[Mapping[str, Any]]) -> str:
    """Say how many Envoys, or what they are called, stand where; the worst first."""
    standings = Counter(standing_of(envoy) for envoy in envoys if envoy["served"])
    numbers = (
        (standings[Standing.REJECTED], "rejected"),
        (standings[Standing.STALE], "stale"),
        (sum(not envoy["served"] for envoy in envoys), "unserved"),
        (standings[Standing.SYNCED], "synced"),
    )
    return ", ".join(f"{count(number, what)} {word}" for number, word in numbers if number)


def guilty_text(finding: Mapping[str, Any]) -> str:
    """Say whose mistake a finding is, and where."""
    place = f"{visible(finding['path'])}:{finding['line']}:{finding['column']}"
    resource = finding["resource"]
    return f"{visible(str(resource_of(resource)))} ({place})" if resource else place


def resource_of(data: Mapping[str, str]) -> ResourceRef:
    """Read back what a document says of a resource's identity."""
    return ResourceRef(data["kind"], data["namespace"], data["name"])


def _versions(kind: Kind) -> str:
    sent, accepted = _one(kind.sent), _one(kind.accepted)
    if kind.standing is not Standing.SYNCED:
        return f"sent {sent}, accepted {accepted}"
    return f"version {accepted}" if len(kind.accepted) == 1 and kind.accepted[0] else ""


def _one(versions: Sequence[str]) -> str:
    if len(versions) > 1:
        return f"{len(versions)} versions"
    return visible(versions[0]) or "nothing"


def _most(values: Iterable[str]) -> str:
    """Write what all have in common, or how many have what; the most frequent first."""
    counted = Counter(map(visible, values)).most_common()
    if len(counted) == 1:
        return counted[0][0]
    shown = [f"{number} {value or '?'}" for value, number in counted[:3]]
    return " + ".join([*shown, "others"] if len(counted) > 3 else shown)


def _shortened(text: str) -> str:
    """Cut what is long in the middle: what is wrong stands at one of its ends."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 3]} […] {text[-2 * _LONGEST // 3 :]}"


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w.-])", text) is not None


def _short(type_url: str) -> str:
    return visible(type_url.rpartition(".")[2])

"""
An overview for people.

    gateway-proxy  SYNCED  version 397f1c2ab0de4f11  since 12:00:00Z  1 Envoy
      held since 12:03:11Z at its last good routes
        because of PEN301 in RouteTable echo/echo-routes (config/echo/routes.yaml:17:19)
        waiting: RouteTable foxtrot/foxtrot-routes
      Envoy edge-1  SYNCED  envoy 1.40.0, delta, from 127.0.0.1:50412
        Cluster             SYNCED    since 12:00:01Z  version 8c1f…
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock.connections import Standing
from penstock.findings.excerpt import visible
from penstock.findings.text import affected_text, count, finding_text, paint, totals
from penstock.moments import clock
from translator.report import Damage, Diagnostic, Position, ResourceRef, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.overview.client import Overview

__all__ = ["as_text", "is_healthy"]

_MOST: Final = 20
"""How many lines a list has; `-o json` has all."""
_FATES: Final = {"replaced": "replaced", "kept": "kept", "left_out": "left out"}
"""What may have become of an invalid route, by its key, and how that is said."""
_TONES: Final = {Standing.SYNCED: "32", Standing.STALE: "33", Standing.REJECTED: "1;31"}
_BAD: Final = "1;31"


def is_healthy(overview: Overview) -> bool:
    """Tell whether everything is served as written, and all Envoys have accepted it."""
    status = overview.status
    return bool(
        status["ready"]
        and status["source"]["readable"]
        and not (status["state"] and status["state"]["reason"])
        and not overview.reports["summary"]["errors"]
        and not any(proxy["held"] for proxy in status["proxies"])
        and all(
            envoy["served"] and _standing(envoy) is Standing.SYNCED for envoy in _envoys(status)
        )
    )


def as_text(overview: Overview, *, colour: bool) -> Iterator[str]:
    """
    Yield the lines of an overview, the summary last; the same as long as nothing changes.

    Args:
        overview: What the server tells.
        colour: Whether to paint with ANSI escape sequences.
    """
    status, reports = overview.status, overview.reports
    started = datetime.fromisoformat(status["started"])
    text = _Text(started + timedelta(seconds=status["uptime_seconds"]), colour=colour)
    yield from text.server(overview.url, status)
    for proxy in status["proxies"]:
        yield ""
        yield from text.proxy(proxy)
    yield ""
    if reports["findings"]:
        for finding in reports["findings"]:
            diagnostic = _diagnostic(finding)
            line = finding["source_line"]
            yield from finding_text(diagnostic, line, locate=str, colour=colour)
        yield from affected_text(
            (_resource(each["resource"]), each["route"], _resource(each["cause"]))
            for each in reports["affected"]
        )
        yield ""
    yield _summary(status, reports)


class _Text:
    """Writes parts of the server's documents."""

    def __init__(self, now: datetime, *, colour: bool) -> None:
        self._now = now
        self._colour = colour

    def server(self, url: str, status: Mapping[str, Any]) -> Iterator[str]:
        policy = f", policy {status['policy']}" if status["policy"] else ""
        since = self._clock(status["started"])
        yield f"penstock {visible(status['version'])} at {visible(url)} since {since}{policy}"
        source, reload = status["source"], status["reload"]
        if not source["readable"]:
            since = self._clock(source["since"])
            yield self._bad(f"source lost since {since}: {visible(source['reason'])}")
        elif reload and reload["error"]:
            at = self._clock(reload["at"])
            yield self._bad(f"last reload {reload['result']} at {at}: {visible(reload['error'])}")
        state = status["state"]
        if state and state["reason"]:
            yield self._bad(f"what is served is not kept for a restart: {visible(state['reason'])}")
        if not status["ready"]:
            yield self._bad("not ready: nobody is served")

    def proxy(self, proxy: Mapping[str, Any]) -> Iterator[str]:
        envoys = proxy["envoys"]
        name, connected = visible(proxy["name"]), count(len(envoys), "Envoy")
        if proxy["version"] is None:
            yield f"{name}  {self._bad('UNKNOWN')}  there is no such proxy  {connected}"
        else:
            standing = _worst([_standing(envoy) for envoy in envoys])
            state = self._standing(standing) if envoys else "UNUSED"
            since = self._clock(proxy["since"])
            yield f"{name}  {state}  version {proxy['version']}  since {since}  {connected}"
        yield from self._routes(proxy)
        for envoy in envoys:
            yield from self._envoy(envoy)

    def _routes(self, proxy: Mapping[str, Any]) -> Iterator[str]:
        if any(number for fate, number in proxy["routes"].items() if fate != "served"):
            numbers = (
                f"{number} {fate.replace('_', ' ')}"
                for fate, number in proxy["routes"].items()
                if number
            )
            yield f"  routes: {', '.join(numbers)}"
        if proxy["held"]:
            since = self._clock(proxy["held_since"])
            yield f"  {self._bad(f'held since {since}')} at its last good routes"
            yield from _listed(
                [
                    f"    because of {each['code']} in {_guilty(each)}"
                    for each in proxy["held_because"]
                ]
            )
            yield from _listed(
                [f"    waiting: {visible(str(_resource(each)))}" for each in proxy["waiting"]]
            )
        for key, word in _FATES.items():
            yield from _listed(
                [
                    f"  {word}: {visible(str(_resource(each['resource'])))} "
                    f"(route '{visible(each['route'])}') answers {each['answers']}"
                    for each in proxy[key]
                ]
            )

    def _envoy(self, envoy: Mapping[str, Any]) -> Iterator[str]:
        only = envoy.get("carries", "*").rpartition(".")[2]
        carries = "" if only == "*" else f"{only} only"
        about = [envoy["agent"], envoy["protocol"], carries, f"from {envoy['peer']}"]
        facts = visible(", ".join(fact for fact in about if fact))
        state = self._standing(_standing(envoy)) if envoy["served"] else self._bad("UNSERVED")
        yield f"  Envoy {visible(envoy['node'] or '?')}  {state}  {facts}"
        names = {url: visible(url.rpartition(".")[2]) for url in envoy["types"]}
        width = max(map(len, names.values()), default=0)
        for url, kind in envoy["types"].items():
            standing = Standing(kind["standing"])
            # The padding stands outside of the colours.
            state = self._standing(standing) + " " * (len(Standing.REJECTED) - len(standing))
            since = f"  since {self._clock(kind['since'])}" if kind["since"] else ""
            yield f"    {names[url]:{width}}  {state}{since}  {_versions(standing, kind)}".rstrip()
            rejection = kind["rejection"]
            if rejection:
                refused = ", ".join(map(visible, rejection["names"])) or "an update"
                yield f"      {self._bad('refused')} {refused}: {visible(rejection['text'])}"

    def _clock(self, moment: str) -> str:
        return clock(datetime.fromisoformat(moment), self._now)

    def _standing(self, standing: Standing) -> str:
        return paint(standing, _TONES[standing], colour=self._colour)

    def _bad(self, text: str) -> str:
        return paint(text, _BAD, colour=self._colour)


def _versions(standing: Standing, kind: Mapping[str, Any]) -> str:
    sent, accepted = visible(kind["sent"]) or "nothing", visible(kind["accepted"]) or "nothing"
    if standing is Standing.SYNCED:
        return f"version {accepted}" if kind["accepted"] else ""
    return f"sent {sent}, accepted {accepted}"


def _standing(envoy: Mapping[str, Any]) -> Standing:
    return _worst([Standing(kind["standing"]) for kind in envoy["types"].values()])


def _worst(standings: Sequence[Standing]) -> Standing:
    return max(standings, key=list(Standing).index, default=Standing.SYNCED)


def _envoys(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for proxy in status["proxies"]:
        yield from proxy["envoys"]


def _summary(status: Mapping[str, Any], reports: Mapping[str, Any]) -> str:
    envoys = list(_envoys(status))
    standings = Counter(_standing(envoy) for envoy in envoys if envoy["served"])
    unserved = sum(not envoy["served"] for envoy in envoys)
    held = sum(proxy["held"] for proxy in status["proxies"])
    parts = [f"{count(held, 'proxy')} held" if held == 1 else f"{held} proxies held"] * bool(held)
    parts += [
        f"{count(number, 'Envoy')} {word}"
        for number, word in (
            (standings[Standing.REJECTED], "rejected"),
            (standings[Standing.STALE], "stale"),
            (unserved, "unserved"),
            (standings[Standing.SYNCED], "synced"),
        )
        if number
    ]
    if not envoys:
        parts.append("no Envoy connected")
    counts = reports["summary"]
    found = totals(counts["errors"], counts["warnings"], counts["files"])
    return f"{', '.join(parts)}. {found}"


def _guilty(finding: Mapping[str, Any]) -> str:
    place = f"{visible(finding['path'])}:{finding['line']}:{finding['column']}"
    resource = finding["resource"]
    return f"{visible(str(_resource(resource)))} ({place})" if resource else place


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
        yield f"{indent}and {len(lines) - _MOST} more"


def _resource(data: Mapping[str, str]) -> ResourceRef:
    return ResourceRef(data["kind"], data["namespace"], data["name"])


def _diagnostic(data: Mapping[str, Any]) -> Diagnostic:
    """Read a finding back, as far as its text needs it; the server may know more rules than we."""
    return Diagnostic(
        rule=Rule(data["code"], Severity(data["severity"]), Damage.NONE, ""),
        resource=data["resource"] and _resource(data["resource"]),
        position=_position(data, data["width"]),
        message=data["message"],
        help=data["help"],
        effect=data["effect"],
        related=tuple((each["label"], _position(each)) for each in data["related"]),
    )


def _position(data: Mapping[str, Any], width: int = 1) -> Position:
    return Position(path=data["path"], line=data["line"], column=data["column"], width=width)

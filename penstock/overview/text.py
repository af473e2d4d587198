"""
An overview for people.

    gateway-proxy  SYNCED  version 397f1c2ab0de4f11  since 12:00:00Z  1 Envoy
      held since 12:03:11Z at its last good routes
        because of PEN301 in RouteTable echo/echo-routes (config/echo/routes.yaml:17:19)
        waiting: RouteTable foxtrot/foxtrot-routes
      Envoy edge-1  SYNCED  envoy 1.40.0, delta, from 127.0.0.1:50412
        Cluster             SYNCED    since 12:00:01Z  version 8c1f…
      997 Envoys  SYNCED  envoy 1.40.0, delta
        edge-2, edge-3, edge-4 and 994 more
        Cluster             SYNCED    since 12:00:01Z to 12:00:09Z  version 8c1f…
      gRPC client shop-1  SYNCED  gRPC C-core linux C-core 58.0.0, sotw, from 127.0.0.1:50416
        Listener            SYNCED    since 12:00:01Z  version 5d02…
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock.connections import Standing
from penstock.findings.excerpt import visible
from penstock.findings.text import affected_text, count, finding_text, paint, totals
from penstock.moments import clock
from penstock.overview.fleet import standing_of, worst
from penstock.overview.fleet_text import (
    BAD,
    MOST,
    FleetText,
    guilty_text,
    resource_of,
    standing_text,
    standings_text,
)
from penstock.overview.reports import diagnostic_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.overview.client import Overview

__all__ = ["as_text", "is_healthy"]

_FATES: Final = {"replaced": "replaced", "kept": "kept", "left_out": "left out"}
"""What may have become of an invalid route, by its key, and how that is said."""


def is_healthy(overview: Overview) -> bool:
    """Tell whether everything is served as written, and all clients have accepted it."""
    status = overview.status
    return bool(
        status["ready"]
        and status["source"]["readable"]
        and not (status["state"] and status["state"]["reason"])
        and not (status.get("tls") and status["tls"]["reason"])
        and not overview.reports["summary"]["errors"]
        and not any(proxy["held"] for proxy in status["proxies"])
        and all(
            client["served"] and standing_of(client) is Standing.SYNCED
            for client in (*_envoys(status), *_all_grpc_clients(status))
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
    now = started + timedelta(seconds=status["uptime_seconds"])
    text = _Text(now, reports["findings"], colour=colour)
    yield from text.server(overview.url, status)
    for proxy in status["proxies"]:
        yield ""
        yield from text.proxy(proxy)
    yield ""
    if reports["findings"]:
        for finding in reports["findings"]:
            diagnostic = diagnostic_of(finding)
            line = finding["source_line"]
            yield from finding_text(diagnostic, line, locate=str, colour=colour)
        yield from affected_text(
            (resource_of(each["resource"]), each["route"], resource_of(each["cause"]))
            for each in reports["affected"]
        )
        yield ""
    yield _summary(status, reports)


class _Text:
    """Writes parts of the server's documents."""

    def __init__(
        self, now: datetime, findings: Sequence[Mapping[str, Any]], *, colour: bool
    ) -> None:
        self._now = now
        self._colour = colour
        self._fleet = FleetText(now, findings, colour=colour)

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
        tls = status.get("tls")  # an older server has none
        if tls and not tls["usable"]:
            since = self._clock(tls["since"])
            yield self._bad(f"TLS files broken since {since}: {visible(tls['reason'])}")
        if not status["ready"]:
            yield self._bad("not ready: nobody is served")

    def proxy(self, proxy: Mapping[str, Any]) -> Iterator[str]:
        envoys, grpc_clients = proxy["envoys"], _grpc_clients(proxy)
        name, connected = visible(proxy["name"]), count(len(envoys), "Envoy")
        if grpc_clients:
            connected += f", {count(len(grpc_clients), 'gRPC client')}"
        if proxy["version"] is None:
            yield f"{name}  {self._bad('UNKNOWN')}  there is no such proxy  {connected}"
        else:
            clients = [*envoys, *grpc_clients]
            standing = worst([standing_of(client) for client in clients])
            state = self._standing(standing) if clients else "UNUSED"
            since = self._clock(proxy["since"])
            yield f"{name}  {state}  version {proxy['version']}  since {since}  {connected}"
        yield from self._routes(proxy)
        yield from self._fleet.lines("Envoy", envoys)
        yield from self._fleet.lines("gRPC client", grpc_clients)

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
                    f"    because of {each['code']} in {guilty_text(each)}"
                    for each in proxy["held_because"]
                ]
            )
            yield from _listed(
                [f"    waiting: {visible(str(resource_of(each)))}" for each in proxy["waiting"]]
            )
        for key, word in _FATES.items():
            yield from _listed(
                [
                    f"  {word}: {visible(str(resource_of(each['resource'])))} "
                    f"(route '{visible(each['route'])}') answers {each['answers']}"
                    for each in proxy[key]
                ]
            )

    def _clock(self, moment: str) -> str:
        return clock(datetime.fromisoformat(moment), self._now)

    def _standing(self, standing: Standing) -> str:
        return standing_text(standing, colour=self._colour)

    def _bad(self, text: str) -> str:
        return paint(text, BAD, colour=self._colour)


def _envoys(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for proxy in status["proxies"]:
        yield from proxy["envoys"]


def _grpc_clients(proxy: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the gRPC clients in a proxy's place; a server of an older version knows none."""
    clients: Sequence[Mapping[str, Any]] = proxy.get("grpc", {}).get("clients", ())
    return clients


def _all_grpc_clients(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for proxy in status["proxies"]:
        yield from _grpc_clients(proxy)


def _summary(status: Mapping[str, Any], reports: Mapping[str, Any]) -> str:
    envoys, grpc_clients = list(_envoys(status)), list(_all_grpc_clients(status))
    held = sum(proxy["held"] for proxy in status["proxies"])
    parts = [f"{count(held, 'proxy')} held" if held == 1 else f"{held} proxies held"] * bool(held)
    parts.append(standings_text("Envoy", envoys) if envoys else "no Envoy connected")
    if grpc_clients:
        parts.append(standings_text("gRPC client", grpc_clients))
    counts = reports["summary"]
    found = totals(counts["errors"], counts["warnings"], counts["files"])
    return f"{', '.join(parts)}. {found}"


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
        yield f"{indent}and {len(lines) - MOST} more"

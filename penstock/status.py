"""Where the program stands, as documents for `/api/v1`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock import version
from penstock.connections import standing
from penstock.findings import as_data, resource_data
from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from penstock.connections import Connections
    from penstock.sources import Source
    from penstock.state import Publication, State
    from xds.observer import StreamStatus
    from xds.stream import TypeState

__all__ = ["View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything there is to see; looking changes nothing."""

    source: Source
    state: Callable[[], State]
    streams: Callable[[], Sequence[StreamStatus]]
    connections: Connections
    started: datetime
    now: Callable[[], datetime]
    ending: Callable[[], bool]

    def reason_not_ready(self) -> str:
        """Say why an Envoy had better ask somebody else; empty if it need not."""
        state = self.state()
        if self.ending():
            return "the program is ending"
        if state.generation:
            return ""
        if state.outage is not None:
            return state.outage.reason
        if state.reload is not None and state.reload.error:
            return state.reload.error
        return "the resources have not been translated yet"

    def status(self) -> Mapping[str, object]:
        """Describe the program, what each proxy is served, and who has accepted it."""
        state = self.state()
        streams = self.streams()
        names = sorted({*state.proxies, *(status.stream.proxy for status in streams)})
        return {
            "version": version(),
            "started": _time(self.started),
            "uptime_seconds": round((self.now() - self.started).total_seconds(), 3),
            "ready": not self.reason_not_ready(),
            "source": {
                "name": self.source.name,
                "readable": state.outage is None,
                "reason": state.outage.reason if state.outage else "",
                "since": state.outage and _time(state.outage.since),
            },
            "generation": state.generation,
            "reload": state.reload
            and {
                "result": str(state.reload.result),
                "at": _time(state.reload.at),
                "seconds": round(state.reload.seconds, 6),
                "error": state.reload.error,
            },
            "findings": _counts(state),
            "policy": state.translation and str(state.translation.policy.mode),
            "proxies": [
                {
                    "name": name,
                    **_publication(state, state.proxies.get(name)),
                    "envoys": [
                        self._envoy(status) for status in streams if status.stream.proxy == name
                    ],
                }
                for name in names
            ],
        }

    def reports(self) -> Mapping[str, object]:
        """Describe everything that is wrong, and who suffers from it."""
        state = self.state()
        return {
            "summary": _counts(state),
            "findings": [
                {
                    **as_data(finding.diagnostic, self.source.locate),
                    "since": _time(finding.since),
                }
                for finding in state.findings
            ],
            "affected": [
                {
                    "resource": resource_data(affected.resource),
                    "route": affected.route,
                    "cause": resource_data(affected.cause),
                }
                for affected in (state.translation.affected if state.translation else ())
            ],
        }

    def _envoy(self, status: StreamStatus) -> Mapping[str, object]:
        stream = status.stream
        return {
            "stream": stream.id,
            "node": stream.node.id,
            "cluster": stream.node.cluster,
            "agent": f"{stream.node.user_agent} {stream.node.version}".strip(),
            "peer": stream.peer,
            "protocol": stream.protocol,
            "connected": _time(datetime.fromtimestamp(stream.connected_at, UTC)),
            "served": status.served,
            "types": {kind.type_url: self._type(stream.id, kind) for kind in status.types},
        }

    def _type(self, stream: int, kind: TypeState) -> Mapping[str, object]:
        since = self.connections.since(stream, kind.type_url)
        rejection = kind.rejection
        return {
            "standing": str(standing(kind)),
            "since": since and _time(since),
            "subscribed": "*" if kind.wildcard else kind.subscribed,
            "sent": kind.sent_version,
            "accepted": kind.acked_version,
            "rejection": rejection
            and {
                "version": rejection.version,
                "names": list(rejection.names),
                "text": rejection.text,
                "at": _time(datetime.fromtimestamp(rejection.at, UTC)),
            },
        }


def _publication(state: State, publication: Publication | None) -> Mapping[str, object]:
    """Describe what a proxy is served; there are Envoys that ask for one that does not exist."""
    if publication is None:
        return {"version": None, "since": None, "generation": None, "held": False, "types": {}}
    snapshot = publication.snapshot
    served = state.translation.served.get(publication.proxy.name) if state.translation else None
    return {
        "version": snapshot.version_info,
        "since": _time(publication.since),
        "generation": publication.generation,
        "held": served is not None and served.held,
        "types": {
            type_url: {
                "version": snapshot.version(type_url),
                "resources": len(snapshot.resources(type_url)),
            }
            for type_url in snapshot.types()
        },
    }


def _counts(state: State) -> Mapping[str, object]:
    severities = [finding.diagnostic.severity for finding in state.findings]
    return {
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "files": len(state.translation.inputs.files) + len(state.translation.inputs.unreadable)
        if state.translation
        else 0,
    }


def _time(moment: datetime) -> str:
    """Write a moment as ISO 8601, in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

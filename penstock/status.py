"""Where the program stands, as documents for `/api/v1`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock import version
from penstock.audience import grpc_audience, proxy_name
from penstock.connections import standing
from penstock.findings import Report, affected_data, as_data, resource_data
from penstock.holding import dated
from penstock.moments import iso
from translator.pipeline import Inputs
from translator.policy import Outcome
from translator.report import ResourceRef, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from penstock.connections import Connections
    from penstock.sources import Source
    from penstock.state import Publication, State
    from penstock.tls import TlsState
    from translator import ir
    from translator.pipeline import Translation
    from translator.policy import Served
    from translator.report import Diagnostic
    from xds.exchange import TypeState
    from xds.observer import StreamStatus
    from xds.snapshot import Snapshot

__all__ = ["View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything there is to see; looking changes nothing."""

    source: Source
    state: Callable[[], State]
    streams: Callable[[], Sequence[StreamStatus]]
    connections: Connections
    grpc_snapshot: Callable[[str], Snapshot | None]
    """What the gRPC clients of a proxy are served, if there ever was one."""
    started: datetime
    now: Callable[[], datetime]
    ending: Callable[[], bool]
    tls: Callable[[], TlsState | None] = lambda: None

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
        names = sorted({*state.proxies, *(proxy_name(status.stream.proxy) for status in streams)})
        return {
            "version": version(),
            "started": iso(self.started),
            "uptime_seconds": round((self.now() - self.started).total_seconds(), 3),
            "ready": not self.reason_not_ready(),
            "source": {
                "name": self.source.name,
                "readable": state.outage is None,
                "reason": state.outage.reason if state.outage else "",
                "since": state.outage and iso(state.outage.since),
            },
            "state": state.saving
            and {
                "directory": state.saving.directory,
                "writable": not state.saving.problem,
                "reason": state.saving.problem,
            },
            "tls": _tls(self.tls()),
            "generation": state.generation,
            "reload": state.reload
            and {
                "result": str(state.reload.result),
                "at": iso(state.reload.at),
                "seconds": round(state.reload.seconds, 6),
                "error": state.reload.error,
            },
            "findings": _counts(state),
            "policy": state.translation and str(state.translation.policy.mode),
            "proxies": [
                {
                    "name": name,
                    **_publication(state.proxies.get(name)),
                    **self._routes(name, state),
                    "envoys": [
                        self._client(status) for status in streams if status.stream.proxy == name
                    ],
                    "grpc": self._grpc(name, streams),
                }
                for name in names
            ],
        }

    def reports(self) -> Mapping[str, object]:
        """Describe everything that is wrong, and who suffers from it."""
        state = self.state()
        translation = state.translation
        report = (
            Report.of(translation, self.source.locate)
            if translation is not None
            else Report(diagnostics=(), inputs=Inputs(files={}), locate=self.source.locate)
        )
        diagnostics = dated(
            (finding.diagnostic for finding in state.findings),
            translation.holding if translation is not None else {},
            state.held,
            self.now(),
        )
        return {
            "summary": _counts(state),
            "findings": [
                {**as_data(diagnostic, report), "since": iso(finding.since)}
                for finding, diagnostic in zip(state.findings, diagnostics, strict=True)
            ],
            "affected": [affected_data(affected) for affected in report.affected],
            "proxies": [{"name": name, **self._routes(name, state)} for name in state.proxies],
        }

    def _routes(self, name: str, state: State) -> Mapping[str, object]:
        """Describe what became of a proxy's routes, and because of whom."""
        translation = state.translation
        served = translation.served.get(name) if translation is not None else None
        since = state.held.get(name)
        return {
            "held": since is not None,
            "held_since": since and iso(since),
            "held_because": [
                self._culprit(diagnostic)
                for diagnostic in (translation.holding.get(name, ()) if translation else ())
            ],
            "waiting": [_owner(source) for source in (served.waiting if served else ())],
            "routes": dict(state.routes.get(name, {})),
            **{
                outcome.name.lower(): [
                    {"resource": _owner(source), "route": source.route, "answers": answers}
                    for source, answers in _answers(translation, served, outcome)
                ]
                for outcome in (Outcome.REPLACED, Outcome.KEPT, Outcome.LEFT_OUT)
            },
        }

    def _culprit(self, diagnostic: Diagnostic) -> Mapping[str, object]:
        position = diagnostic.position
        return {
            "code": diagnostic.code,
            "resource": diagnostic.resource and resource_data(diagnostic.resource),
            "path": self.source.locate(position.path),
            "line": position.line,
            "column": position.column,
            "message": diagnostic.message,
        }

    def _grpc(self, name: str, streams: Sequence[StreamStatus]) -> Mapping[str, object]:
        snapshot = self.grpc_snapshot(name)
        audience = grpc_audience(name)
        return {
            "version": snapshot and snapshot.version_info,
            "types": _types(snapshot) if snapshot is not None else {},
            "clients": [
                self._client(status) for status in streams if status.stream.proxy == audience
            ],
        }

    def _client(self, status: StreamStatus) -> Mapping[str, object]:
        stream = status.stream
        return {
            "stream": stream.id,
            "node": stream.node.id,
            "cluster": stream.node.cluster,
            "agent": f"{stream.node.user_agent} {stream.node.version}".strip(),
            "peer": stream.peer,
            "identity": None if stream.identity is None else str(stream.identity),
            "protocol": stream.protocol,
            "carries": stream.type_url or "*",
            "connected": iso(datetime.fromtimestamp(stream.connected_at, UTC)),
            "served": status.served,
            "not_reading_since": status.writing_since
            and iso(datetime.fromtimestamp(status.writing_since, UTC)),
            "types": {kind.type_url: self._type(stream.id, kind) for kind in status.types},
        }

    def _type(self, stream: int, kind: TypeState) -> Mapping[str, object]:
        since = self.connections.since(stream, kind.type_url)
        rejection = kind.rejection
        return {
            "standing": str(standing(kind)),
            "since": since and iso(since),
            "subscribed": "*" if kind.wildcard else kind.subscribed,
            "sent": kind.sent_version,
            "accepted": kind.acked_version,
            "rejection": rejection
            and {
                "version": rejection.version,
                "names": list(rejection.names),
                "text": rejection.text,
                "at": iso(datetime.fromtimestamp(rejection.at, UTC)),
            },
        }


def _publication(publication: Publication | None) -> Mapping[str, object]:
    """Describe what a proxy is served; there are Envoys that ask for one that does not exist."""
    if publication is None:
        return {"version": None, "since": None, "generation": None, "types": {}}
    snapshot = publication.snapshot
    return {
        "version": snapshot.version_info,
        "since": iso(publication.since),
        "generation": publication.generation,
        "types": _types(snapshot),
    }


def _types(snapshot: Snapshot) -> Mapping[str, object]:
    return {
        type_url: {
            "version": snapshot.version(type_url),
            "resources": len(snapshot.resources(type_url)),
        }
        for type_url in snapshot.types()
    }


def _tls(tls: TlsState | None) -> Mapping[str, object] | None:
    if tls is None:
        return None
    return {
        "client_certificates": tls.mutual,
        "expires": iso(tls.not_after),
        "usable": not tls.problem,
        "reason": tls.problem,
        "since": tls.since and iso(tls.since),
    }


def _answers(
    translation: Translation | None, served: Served | None, wanted: Outcome
) -> Iterator[tuple[ir.Source, str]]:
    """Yield the invalid routes of one outcome, each with what answers in its place."""
    if translation is None or served is None:
        return
    for source, outcome in served.outcomes.items():
        if outcome is not wanted:
            continue
        match outcome:
            case Outcome.REPLACED:
                share = served.shares.get(source)
                portion = "" if share is None else f" for {share / 10_000:.4g} % of the requests"
                yield source, f"{translation.policy.code}{portion}"
            case Outcome.KEPT:
                yield source, "its last good version"
            case _:
                yield source, "nothing"


def _owner(source: ir.Source) -> Mapping[str, object]:
    return resource_data(ResourceRef(source.kind, source.namespace, source.name))


def _counts(state: State) -> Mapping[str, object]:
    severities = [finding.diagnostic.severity for finding in state.findings]
    return {
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "files": len(state.translation.inputs.files) + len(state.translation.inputs.unreadable)
        if state.translation
        else 0,
    }

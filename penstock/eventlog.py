"""Events, written to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock import logs
from penstock.audience import is_grpc, proxy_name
from penstock.events import (
    CertificatesBroken,
    CertificatesReloaded,
    GrpcPublished,
    ProxyConverged,
    ProxyHeld,
    ProxyPublished,
    ProxyReleased,
    ReloadFinished,
    RequestsSlowed,
    SourceLost,
    SourceRecovered,
    StateDamaged,
    StateLoaded,
    StateSaved,
    StateUnwritable,
    StreamClosed,
    StreamDenied,
    StreamOpened,
    StreamRefused,
    TranslationFailed,
    UpdateAccepted,
    UpdateRejected,
    UpdateSent,
    UpdateTraced,
    WriteStalled,
)
from penstock.moments import iso
from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.events import Event
    from penstock.state import Finding
    from translator.report import Position
    from xds.observer import StreamInfo

__all__ = ["EventLog"]

_MOST_FINDINGS: Final = 20
"""How many findings of one reload are logged one by one; all are in the report."""
_LONGEST: Final = 256
"""How many characters are logged of what a client calls itself that was denied."""


class EventLog:
    """Logs what happens; its `take` is a listener of the feed."""

    def __init__(self, locate: Callable[[str], str]) -> None:
        """
        Begin to log.

        Args:
            locate: Turns an origin into a path that the log's reader can open.
        """
        self._log = logs.get_logger()
        self._locate = locate

    def take(self, event: Event) -> None:
        """Log an event."""
        match event:
            case SourceLost(served=False):
                self._log.warning(logs.SOURCE_AWAITED, source=event.source, reason=event.reason)
            case SourceLost():
                self._log.error(logs.SOURCE_LOST, source=event.source, reason=event.reason)
            case SourceRecovered():
                self._log.info(
                    logs.SOURCE_RECOVERED, source=event.source, after=round(event.seconds, 3)
                )
            case TranslationFailed():
                self._log.error(
                    logs.TRANSLATION_FAILED, proxy=event.proxy or None, exc_info=event.error
                )
            case (
                ProxyPublished()
                | GrpcPublished()
                | ProxyConverged()
                | ProxyHeld()
                | ProxyReleased()
            ):
                self._proxy(event)
            case ReloadFinished():
                self._reloaded(event)
            case (
                StreamOpened()
                | StreamClosed()
                | StreamRefused()
                | StreamDenied()
                | RequestsSlowed()
                | WriteStalled()
            ):
                self._stream(event)
            case UpdateSent() | UpdateAccepted() | UpdateRejected() | UpdateTraced():
                self._update(event)
            case StateLoaded() | StateDamaged() | StateSaved() | StateUnwritable():
                self._state(event)
            case _:
                self._certificates(event)

    def _proxy(
        self,
        event: ProxyPublished | GrpcPublished | ProxyConverged | ProxyHeld | ProxyReleased,
    ) -> None:
        match event:
            case ProxyPublished():
                self._published(event)
            case GrpcPublished():
                self._log.info(
                    logs.GRPC_PUBLISHED,
                    proxy=event.proxy,
                    version=event.snapshot.version_info,
                    seconds=round(event.seconds, 3),
                )
            case ProxyConverged():
                self._log.info(
                    logs.PROXY_CONVERGED,
                    proxy=event.publication.proxy.name,
                    version=event.publication.snapshot.version_info,
                    envoys=event.envoys,
                    seconds=round(event.seconds, 3),
                )
            case ProxyHeld():
                self._log.warning(
                    logs.PROXY_HELD,
                    proxy=event.proxy,
                    because=[
                        f"{found.code} {found.resource or 'file'} at {self._place(found.position)}"
                        for found in event.because[:_MOST_FINDINGS]
                    ],
                    waiting=[
                        f"{source.kind} {source.namespace}/{source.name}"
                        for source in event.waiting[:_MOST_FINDINGS]
                    ],
                )
            case ProxyReleased():
                self._log.info(
                    logs.PROXY_RELEASED, proxy=event.proxy, after=round(event.seconds, 3)
                )

    def _state(self, event: StateLoaded | StateDamaged | StateSaved | StateUnwritable) -> None:
        match event:
            case StateLoaded():
                self._log.info(
                    logs.STATE_LOADED,
                    directory=event.directory,
                    versions=dict(event.versions),
                    seconds=round(event.seconds, 3),
                )
            case StateDamaged():
                for problem in event.problems[:_MOST_FINDINGS]:
                    self._log.error(logs.STATE_DAMAGED, directory=event.directory, reason=problem)
            case StateSaved(saving=saving):
                self._log.debug(
                    logs.STATE_SAVED,
                    directory=saving.directory,
                    written=saving.written,
                    seconds=round(saving.seconds, 3),
                )
            case StateUnwritable(saving=saving):
                (self._log.debug if event.repeated else self._log.error)(
                    logs.STATE_UNWRITABLE, directory=saving.directory, reason=saving.problem
                )

    def _certificates(self, event: Event) -> None:
        match event:
            case CertificatesReloaded(not_after=expires):
                self._log.info(
                    logs.CERTIFICATES_RELOADED, changed=event.changed, expires=iso(expires)
                )
            case CertificatesBroken(not_after=expires):
                self._log.error(
                    logs.CERTIFICATES_BROKEN, reason=event.reason, in_use_expires=iso(expires)
                )
            case _:
                pass

    def _stream(
        self,
        event: StreamOpened
        | StreamClosed
        | StreamRefused
        | StreamDenied
        | RequestsSlowed
        | WriteStalled,
    ) -> None:
        match event:
            case StreamOpened(stream=stream):
                self._log.info(
                    logs.STREAM_OPENED,
                    node=stream.node.id,
                    proxy=proxy_name(stream.proxy),
                    protocol=stream.protocol,
                    carries=stream.type_url or "all",
                    peer=stream.peer,
                    **{"grpc" if is_grpc(stream.proxy) else "envoy": stream.node.version},
                    stream=stream.id,
                    **_identity(stream),
                )
            case StreamClosed(stream=stream):
                self._log.info(
                    logs.STREAM_CLOSED,
                    node=stream.node.id,
                    proxy=proxy_name(stream.proxy),
                    stream=stream.id,
                    reason=event.reason,
                )
            case StreamRefused():
                self._log.warning(
                    logs.STREAM_REFUSED, peer=event.peer, code=event.code, reason=event.reason
                )
            case StreamDenied(stream=stream, denial=denial):
                self._log.warning(
                    logs.STREAM_DENIED,
                    # A stranger's words are of any length.
                    node=stream.node.id[:_LONGEST],
                    proxy=proxy_name(stream.proxy)[:_LONGEST],
                    peer=stream.peer,
                    reason=str(denial.reason),
                    **_identity(stream),
                )
            case RequestsSlowed(stream=stream):
                self._log.warning(
                    logs.REQUESTS_SLOWED, node=stream.node.id, peer=stream.peer, stream=stream.id
                )
            case WriteStalled(stream=stream):
                self._log.warning(
                    logs.WRITE_STALLED,
                    node=stream.node.id,
                    peer=stream.peer,
                    stream=stream.id,
                    type=event.type_url,
                )

    def _update(self, event: UpdateSent | UpdateAccepted | UpdateRejected | UpdateTraced) -> None:
        if isinstance(event, UpdateTraced):
            self._log.error(
                logs.UPDATE_TRACED,
                proxy=event.proxy,
                type=event.type_url,
                name=event.name,
                text=event.text,
                culprits=[str(each.owner) for each in event.refusals[:_MOST_FINDINGS]],
                questions=event.questions,
                seconds=round(event.seconds, 3),
            )
            return
        log = self._log.bind(node=event.stream.node.id, type=event.type_url)
        match event:
            case UpdateSent():
                log.debug(logs.UPDATE_SENT, bytes=event.size)
            case UpdateAccepted():
                log.debug(
                    logs.UPDATE_ACCEPTED,
                    resources=len(event.versions),
                    seconds=round(event.seconds, 3),
                )
            case UpdateRejected():
                log.error(
                    logs.UPDATE_REJECTED,
                    proxy=proxy_name(event.stream.proxy),
                    versions=dict(event.versions),
                    text=event.text,
                )

    def _published(self, event: ProxyPublished) -> None:
        publication = event.publication
        self._log.info(
            logs.SNAPSHOT_PUBLISHED,
            proxy=publication.proxy.name,
            version=publication.snapshot.version_info,
            generation=publication.generation,
            added=sum(len(change.added) for change in event.changes),
            changed=sum(len(change.changed) for change in event.changes),
            removed=sum(len(change.removed) for change in event.changes),
        )

    def _reloaded(self, event: ReloadFinished) -> None:
        self._findings(logs.FINDING_REPORTED, event.new)
        self._findings(logs.FINDING_RESOLVED, event.gone)
        self._log.info(
            logs.RELOAD_FINISHED,
            result=str(event.reload.result),
            seconds=round(event.reload.seconds, 3),
        )

    def _place(self, position: Position) -> str:
        return f"{self._locate(position.path)}:{position.line}:{position.column}"

    def _findings(self, name: str, findings: Sequence[Finding]) -> None:
        for finding in findings[:_MOST_FINDINGS]:
            diagnostic = finding.diagnostic
            is_bad = name == logs.FINDING_REPORTED and diagnostic.severity is Severity.ERROR
            (self._log.warning if is_bad else self._log.info)(
                name,
                code=diagnostic.code,
                severity=str(diagnostic.severity),
                resource=diagnostic.resource and str(diagnostic.resource),
                at=self._place(diagnostic.position),
                message=diagnostic.message,
            )
        if len(findings) > _MOST_FINDINGS:
            self._log.warning(logs.FINDINGS_OMITTED, of=name, count=len(findings) - _MOST_FINDINGS)


def _identity(stream: StreamInfo) -> dict[str, str]:
    """Tell whose certificate it was, if there was one."""
    return {} if stream.identity is None else {"identity": str(stream.identity)}

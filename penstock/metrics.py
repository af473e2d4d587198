"""
Metrics for Prometheus: what happened is counted, where things stand is looked at when asked.

Labels are bounded by what people write (proxies, namespaces) and by the protocol (types, kinds).
Envoys are not among them: there may be thousands, each with a name that never comes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from penstock.events import (
    CertificatesBroken,
    CertificatesReloaded,
    ProxyConverged,
    ReloadFinished,
    RequestsSlowed,
    StateSaved,
    StateUnwritable,
    StreamDenied,
    StreamRefused,
    UpdateAccepted,
    UpdateRejected,
    UpdateRequested,
    UpdateSent,
    WriteStalled,
)
from penstock.measures import type_label
from penstock.state import Result
from xds.identity import Reason

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from penstock.events import Event

__all__ = ["Metrics"]

_FAST: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES: Final = (1e3, 1e4, 1e5, 1e6, 4e6, 1e7, 4e7)
"""Bytes; 4 MB is what a client on Google's gRPC takes by default."""


class Metrics:
    """Counts what happens; its `take` is a listener of the feed."""

    def __init__(self, measures: Collector) -> None:
        """
        Begin to count.

        Args:
            measures: Tells where things stand.
        """
        # When a counter began is known from the process; a series more for each is not worth it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self._registry = registry = CollectorRegistry()
        registry.register(measures)
        ProcessCollector(registry=registry)
        self._reloads = Counter(
            "penstock_reload", "Reloads by what became of them.", ["result"], registry=registry
        )
        self._reload_seconds = Histogram(
            "penstock_reload_seconds",
            "Seconds from the notice of a change until it was dealt with.",
            buckets=_FAST,
            registry=registry,
        )
        self._saves = Counter(
            "penstock_state_saves",
            "Attempts to save what is served, by result: written, unchanged or failed.",
            ["result"],
            registry=registry,
        )
        self._requests = Counter(
            "penstock_xds_requests",
            "Requests by type and kind: first, ack, nack, stale or subscribe.",
            ["type", "kind"],
            registry=registry,
        )
        self._responses = Counter(
            "penstock_xds_responses", "Responses by type.", ["type"], registry=registry
        )
        self._bytes = Histogram(
            "penstock_xds_response_bytes",
            "Bytes of a response by type.",
            ["type"],
            buckets=_SIZES,
            registry=registry,
        )
        self._refused = Counter(
            "penstock_xds_streams_refused",
            "Streams that were ended before they were served, by gRPC status.",
            ["code"],
            registry=registry,
        )
        self._slowed = Counter(
            "penstock_xds_streams_slowed",
            "Streams whose client asks faster than it may.",
            registry=registry,
        )
        self._stalled = Counter(
            "penstock_xds_writes_stalled",
            "Responses that a client did not read in time, so that its connection was ended.",
            ["type"],
            registry=registry,
        )
        self._acks = Counter(
            "penstock_acks", "Responses that an Envoy accepted.", ["type"], registry=registry
        )
        self._nacks = Counter(
            "penstock_nacks", "Responses that an Envoy refused.", ["type"], registry=registry
        )
        self._to_ack = Histogram(
            "penstock_push_to_ack_seconds",
            "Seconds from a response until its acceptance.",
            ["type"],
            buckets=_FAST,
            registry=registry,
        )
        self._propagation = Histogram(
            "penstock_propagation_seconds",
            "Seconds from the notice of a change until the last connected Envoy accepted it.",
            buckets=_FAST,
            registry=registry,
        )
        self._denials = Counter(
            "penstock_xds_streams_denied",
            "Streams that a client's certificate did not entitle it to, by reason: anonymous, "
            "stranger, other_proxy or expired.",
            ["reason"],
            registry=registry,
        )
        self._rotations = Counter(
            "penstock_tls_reloads",
            "Replacements of the server's TLS files by result: loaded or failed.",
            ["result"],
            registry=registry,
        )
        for result in Result:  # so that a rate is right from the first one on
            self._reloads.labels(result)
        for outcome in ("written", "unchanged", "failed"):
            self._saves.labels(outcome)
        for reason in Reason:
            self._denials.labels(reason)
        for rotated in ("loaded", "failed"):
            self._rotations.labels(rotated)

    def take(self, event: Event) -> None:
        """Count an event."""
        match event:
            case ReloadFinished():
                self._reloads.labels(event.reload.result).inc()
                if event.reload.result is not Result.LOST:
                    self._reload_seconds.observe(event.reload.seconds)
            case StateSaved(saving=saving):
                self._saves.labels("written" if saving.written else "unchanged").inc()
            case StateUnwritable():
                self._saves.labels("failed").inc()
            case UpdateRequested() | UpdateSent() | UpdateAccepted() | UpdateRejected():
                self._update(event)
            case StreamRefused() | RequestsSlowed() | WriteStalled():
                self._limit(event)
            case ProxyConverged():
                self._propagation.observe(event.seconds)
            case _:
                self._take_trust(event)

    def _take_trust(self, event: Event) -> None:
        match event:
            case StreamDenied():
                self._denials.labels(event.denial.reason).inc()
            case CertificatesReloaded():
                self._rotations.labels("loaded").inc()
            case CertificatesBroken():
                self._rotations.labels("failed").inc()
            case _:
                pass

    def _update(
        self, event: UpdateRequested | UpdateSent | UpdateAccepted | UpdateRejected
    ) -> None:
        kind = type_label(event.type_url)
        match event:
            case UpdateRequested():
                self._requests.labels(kind, event.kind).inc()
            case UpdateSent():
                self._responses.labels(kind).inc()
                self._bytes.labels(kind).observe(event.size)
            case UpdateAccepted():
                self._acks.labels(kind).inc()
                self._to_ack.labels(kind).observe(event.seconds)
            case UpdateRejected():
                self._nacks.labels(kind).inc()

    def _limit(self, event: StreamRefused | RequestsSlowed | WriteStalled) -> None:
        match event:
            case StreamRefused():
                self._refused.labels(event.code).inc()
            case RequestsSlowed():
                self._slowed.inc()
            case WriteStalled():
                self._stalled.labels(type_label(event.type_url)).inc()

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self._registry)

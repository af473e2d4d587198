"""Where things stand, measured whenever Prometheus asks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from penstock import version
from penstock.audience import is_grpc, proxy_name
from penstock.connections import Standing, standing
from translator.report import rules
from xds.types import ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from prometheus_client import Metric

    from penstock.state import State
    from penstock.tls import TlsState
    from xds.observer import StreamStatus

__all__ = ["Measures", "type_label"]


def type_label(type_url: str) -> str:
    """Name a type in a label; types that we do not serve are one, for anybody may ask for any."""
    return type_url.rpartition("/")[2] if type_url in ORDER else "other"


class Measures:
    """A collector of Prometheus, without a memory of its own."""

    def __init__(
        self,
        *,
        state: Callable[[], State],
        streams: Callable[[], Sequence[StreamStatus]],
        now: Callable[[], datetime],
        tls: Callable[[], TlsState | None] = lambda: None,
    ) -> None:
        self._state = state
        self._streams = streams
        self._now = now
        self._tls = tls

    def collect(self) -> Iterator[Metric]:
        """Measure everything."""
        state = self._state()
        yield _gauge("build_info", "The version that runs.", {(version(),): 1}, "version")
        yield _gauge("ready", "Whether anything can be served.", {(): state.generation > 0})
        yield _gauge(
            "source_up", "Whether the source of the resources can be read.", {(): not state.outage}
        )
        if state.saving is not None:
            yield _gauge(
                "state_writable",
                "Whether what is served could be saved for the next start.",
                {(): not state.saving.problem},
            )
        yield from _tls(self._tls())
        yield _gauge(
            "config_findings",
            "What is wrong with the resources.",
            Counter(
                (
                    str(finding.diagnostic.severity),
                    finding.diagnostic.resource.namespace if finding.diagnostic.resource else "",
                )
                for finding in state.findings
            ),
            "severity",
            "namespace",
        )
        yield _gauge(
            "quarantined",
            "What Envoys refuse and is therefore not served.",
            Counter(
                (finding.diagnostic.resource.namespace,)
                for finding in state.findings
                if finding.diagnostic.rule is rules.REFUSED_BY_ENVOY and finding.diagnostic.resource
            ),
            "namespace",
        )
        yield from self._proxies(state)
        yield from self._connections(state)

    def _proxies(self, state: State) -> Iterator[Metric]:
        now = self._now()
        yield _gauge(
            "snapshot_info",
            "The version that a proxy is served.",
            {(name, it.snapshot.version_info): 1 for name, it in state.proxies.items()},
            "proxy",
            "version",
        )
        yield _gauge(
            "snapshot_age_seconds",
            "For how long a proxy has been served the same.",
            {(name,): (now - it.since).total_seconds() for name, it in state.proxies.items()},
            "proxy",
        )
        yield _gauge(
            "snapshot_resources",
            "How many resources a proxy is served.",
            {
                (name, type_label(type_url)): len(it.snapshot.resources(type_url))
                for name, it in state.proxies.items()
                for type_url in ORDER
            },
            "proxy",
            "type",
        )

        yield _gauge(
            "held_proxies",
            "How many proxies are held at their last good routes.",
            {(): len(state.held)},
        )
        yield _gauge(
            "proxy_held",
            "Whether a proxy is held at its last good routes.",
            {(name,): name in state.held for name in state.proxies},
            "proxy",
        )
        yield _gauge(
            "routes",
            "Written routes by what became of them.",
            {
                (name, fate): number
                for name, counts in state.routes.items()
                for fate, number in counts.items()
            },
            "proxy",
            "outcome",
        )

    def _connections(self, state: State) -> Iterator[Metric]:
        streams = self._streams()
        clients = [status.stream.proxy for status in streams]
        # A proxy without any Envoy is there with zero: an alert has to see it.
        connected: Counter[tuple[str, ...]] = Counter({(name,): 0 for name in state.proxies})
        # Without ADS an Envoy has several streams.
        envoys = {
            (it.stream.proxy, it.stream.client) for it in streams if not is_grpc(it.stream.proxy)
        }
        connected.update((proxy,) for proxy, _ in envoys)
        yield _gauge("proxies_connected", "How many Envoys are connected.", connected, "proxy")
        yield _gauge(
            "grpc_clients_connected",
            "How many channels of gRPC clients are connected that need no Envoy.",
            Counter((proxy_name(name),) for name in clients if is_grpc(name)),
            "proxy",
        )
        yield _gauge(
            "xds_streams",
            "Open streams by protocol.",
            Counter((status.stream.protocol,) for status in streams),
            "protocol",
        )
        counts: Counter[tuple[str, ...]] = Counter(
            (proxy_name(status.stream.proxy), type_label(kind.type_url), str(standing(kind)))
            for status in streams
            for kind in status.types
        )
        for name in state.proxies:
            for type_url in ORDER:
                for each in Standing:
                    counts.setdefault((name, type_label(type_url), str(each)), 0)
        yield _gauge(
            "xds_subscriptions",
            "How many clients have accepted, wait for or refuse what they are sent.",
            counts,
            "proxy",
            "type",
            "standing",
        )


def _tls(tls: TlsState | None) -> Iterator[Metric]:
    if tls is None:
        return
    yield _gauge(
        "tls_certificate_expiry_seconds",
        "When the ADS server's certificate expires, in seconds since 1970.",
        {(): tls.not_after.timestamp()},
    )
    yield _gauge(
        "tls_files_usable",
        "Whether the ADS server's TLS files can be used; if not, the last good ones are.",
        {(): not tls.problem},
    )


def _gauge(
    name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"penstock_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, float(value))
    return family

"""
The endpoints of a Kubernetes Service.

They come from its EndpointSlices, or from its Endpoints object if there is no slice. Their labels
are those of the Pods behind them (gloo-behaviour 8.2 and 8.3, Kubernetes "EndpointSlices").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translator.ir import Endpoint
from translator.lower.addresses import canonical_ip, is_ip
from translator.lower.findings import Findings, Place
from translator.report import ResourceRef, quote, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from translator.ir import Labels
    from translator.lower.findings import Finding, Path
    from translator.resources import Index, Key, Resource
    from translator.resources.core import (
        Endpoints,
        EndpointSlice,
        ServicePort,
        SlicePort,
        TargetRef,
    )

_IP_FAMILIES = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The endpoints of one port of a Service."""

    endpoints: tuple[Endpoint, ...]
    pods: frozenset[Key]
    """The Pods that were asked for, by name or by address, whether they are there or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesEndpoints:
    """Finds the endpoints of Services."""

    index: Index
    """Where Services, Pods and the rest are."""
    found: dict[tuple[object, ...], Found] = field(default_factory=dict)
    """What was found already: several upstreams may lead to one Service."""

    def known(self, service: Key) -> bool:
        """Tell whether anything says which endpoints a Service has."""
        return bool(self.index.endpoint_slices.get(service)) or service in self.index.endpoints

    def of_service(
        self,
        service: Key,
        port: ServicePort,
        *,
        selector: Mapping[str, str],
        keys: Iterable[str],
    ) -> Found:
        """
        Find the endpoints of one port of a Service.

        Args:
            service: The namespace and name of the Service.
            port: The port.
            selector: Labels that a Pod must have.
            keys: Labels that each endpoint is to have, if only with an empty value.
        """
        wanted, every = tuple(sorted(selector.items())), tuple(keys)
        query = (service, port.name, wanted, every)
        if query not in self.found:
            self.found[query] = self._search(service, port, wanted, every)
        return self.found[query]

    def _search(
        self, service: Key, port: ServicePort, wanted: Labels, keys: tuple[str, ...]
    ) -> Found:
        empty = dict.fromkeys(keys, "")
        found: set[Endpoint] = set()
        pods: set[Key] = set()
        for address, number, target in self._addresses(service, port):
            if not is_ip(address):
                continue
            labels = self._labels(service[0], address, target, pods)
            if all(labels.get(key) == value for key, value in wanted):
                labelled: Labels = tuple(sorted((empty | dict(labels)).items()))
                found.add(Endpoint(address=canonical_ip(address), port=number, labels=labelled))
        ordered = tuple(sorted(found, key=lambda it: (it.address, it.port, it.labels)))
        return Found(endpoints=ordered, pods=frozenset(pods))

    def _addresses(
        self, service: Key, port: ServicePort
    ) -> Iterator[tuple[str, int, TargetRef | None]]:
        """Yield addresses that are ready, with the port and what is behind them."""
        slices = self.index.endpoint_slices.get(service, ())
        for piece in slices:
            number = _port_number(piece.spec.ports, port.name)
            if number is None or piece.spec.address_type not in _IP_FAMILIES:
                continue
            for endpoint in piece.spec.endpoints:
                if endpoint.conditions.ready is not False and endpoint.addresses:
                    # The addresses of one endpoint are fungible (Kubernetes API reference).
                    yield endpoint.addresses[0], number, endpoint.target_ref
        if slices or service not in self.index.endpoints:
            return
        for subset in self.index.endpoints[service].spec.subsets:
            number = _port_number(subset.ports, port.name)
            if number is not None:
                for entry in subset.addresses:
                    yield entry.ip, number, entry.target_ref

    def _labels(
        self, namespace: str, address: str, target: TargetRef | None, asked: set[Key]
    ) -> Mapping[str, str]:
        if target is not None and target.kind in {"Pod", ""} and target.name:
            key = (target.namespace or namespace, target.name)
            pod = self.index.pods.get(key)
        else:
            key = (namespace, address)
            pod = self.index.pods_by_ip.get(key)
        asked.add(key)
        return pod.labels if pod is not None else {}


def check_addresses(
    index: Index, before: tuple[Index, Mapping[ResourceRef, tuple[Finding, ...]]]
) -> Mapping[ResourceRef, tuple[Finding, ...]]:
    """
    Report addresses that are none, by the object that has them.

    Envoy refuses a response for one of them, and with it the endpoints of everybody else.

    Args:
        index: The resources.
        before: An earlier index, and what was reported for it.
    """
    earlier, reported = before
    after = dict(reported)
    for kind, check in (("EndpointSlice", _check_slice), ("Endpoints", _check_endpoints)):
        now = index.kinds.get(kind, {})
        for key in index.changes(kind, earlier):
            found: list[Finding] = []
            if (resource := now.get(key)) is not None:
                check(resource, found)
            after.pop(ref := ResourceRef(kind, *key), None)
            if found:
                after[ref] = tuple(found)
    return after


def _check_slice(piece: Resource[EndpointSlice], found: list[Finding]) -> None:
    if piece.spec.address_type in _IP_FAMILIES:
        for number, endpoint in enumerate(piece.spec.endpoints):
            if endpoint.addresses:
                path = ("endpoints", number, "addresses", 0)
                _check(piece, endpoint.addresses[0], path, found)


def _check_endpoints(resource: Resource[Endpoints], found: list[Finding]) -> None:
    for number, subset in enumerate(resource.spec.subsets):
        for place, entry in enumerate(subset.addresses):
            where = ("subsets", number, "addresses", place, "ip")
            _check(resource, entry.ip, where, found)


def _check(resource: Resource[object], address: str, path: Path, found: list[Finding]) -> None:
    if not is_ip(address):
        Findings(resource, found=found).add(
            rules.BAD_ADDRESS,
            Place(resource, path),
            f"{quote(address)} is not an IP address",
            effect="no request goes there",
        )


def _port_number(ports: Sequence[SlicePort], name: str) -> int | None:
    """Find a port by its name; a single port without a name is any port, as in Gloo."""
    for port in ports:
        if port.name == name:
            return port.port
    if len(ports) == 1 and not ports[0].name:
        return ports[0].port
    return None

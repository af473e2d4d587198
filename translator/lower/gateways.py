"""From gateways to the listeners of each proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translator import ir
from translator.lower import names
from translator.lower.addresses import canonical_ip, is_ip
from translator.lower.findings import Findings, Place
from translator.lower.selectors import expression_complaint, fulfils, has_labels
from translator.lower.suggestions import similar_resource
from translator.lower.virtual_hosts import age, virtual_hosts
from translator.report import ResourceRef, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.lower.findings import Finding
    from translator.lower.incumbents import Incumbents
    from translator.lower.virtual_hosts import HostDraft
    from translator.resources import Index, Key, Resource
    from translator.resources.specs import GatewaySpec, HttpGateway, VirtualServiceSpec

_DEFAULT_PROXY = "gateway-proxy"
_DEFAULT_ADDRESS = "::"
_DEFAULT_PORT = 8080
_WILDCARDS = frozenset({"::", "0.0.0.0"})
"""Addresses that take the requests to all addresses; two of them collide on one port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDraft:
    """A valid gateway, or the one that exists where there is none."""

    resource: Resource[GatewaySpec] | None
    address: str
    port: int
    proxies: tuple[str, ...]
    hosts: tuple[Key, ...]
    """The virtual services that it serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerDraft:
    """A listener with its routes."""

    listener: ir.Listener
    routes: ir.RouteConfiguration


def lower_gateways(
    index: Index, incumbents: Incumbents, found: list[Finding]
) -> list[GatewayDraft]:
    """
    Lower all gateways, those that are served already first, then the oldest.

    Without any, one listener serves all virtual services. If there are some and all are invalid,
    nothing is served: whoever wrote them did not mean the default. But if the default is served
    already, it stays until one of them is valid.
    """
    present = set(incumbents.listeners.values())
    resources = sorted(
        index.gateways.values(),
        key=lambda resource: (resource.ref.key not in present, age(resource)),
    )
    broken = any(ref.kind == "Gateway" for ref in index.broken)
    if not resources and (incumbents.default or not broken):
        return [
            GatewayDraft(
                resource=None,
                address=_DEFAULT_ADDRESS,
                port=_DEFAULT_PORT,
                proxies=(_DEFAULT_PROXY,),
                hosts=tuple(index.virtual_services),
            )
        ]
    drafts = (_gateway(resource, index, found) for resource in resources)
    return [draft for draft in drafts if draft is not None]


def lower_listeners(
    gateways: Iterable[GatewayDraft],
    hosts: Mapping[Key, HostDraft],
    incumbents: Incumbents,
    found: list[Finding],
) -> dict[str, list[ListenerDraft]]:
    """
    Make the listeners of each proxy.

    Of two gateways on one address it belongs to who has it in that proxy, else to the first.
    """
    listeners: dict[str, list[ListenerDraft]] = {}
    drafts = list(gateways)
    owners = {
        (proxy, _shared(address), port): key
        for (proxy, address, port), key in incumbents.listeners.items()
    }
    opened = {
        (proxy, _shared(gateway.address), gateway.port): gateway
        for gateway in drafts
        for proxy in gateway.proxies
        if gateway.resource is not None
        and owners.get((proxy, _shared(gateway.address), gateway.port)) == gateway.resource.ref.key
    }
    for gateway in drafts:
        draft: ListenerDraft | None = None
        for proxy in gateway.proxies:
            of_proxy = listeners.setdefault(proxy, [])
            first = opened.setdefault((proxy, _shared(gateway.address), gateway.port), gateway)
            if first is not gateway:
                _report_conflict(gateway, first, proxy, found)
                continue
            # The same for each of its proxies, and its domains are to be judged once.
            draft = draft or _listener(gateway, hosts, incumbents, found)
            of_proxy.append(draft)
    return {proxy: listeners[proxy] for proxy in sorted(listeners)}


def _shared(address: str) -> str:
    """Give all addresses one name that collide with each other."""
    return "*" if address in _WILDCARDS else address


def report_unattached(
    index: Index,
    gateways: Iterable[GatewayDraft],
    before: tuple[Index, Mapping[Key, Finding]],
) -> tuple[set[Key], Mapping[Key, Finding]]:
    """
    Warn of virtual services that no gateway serves.

    Args:
        index: The resources.
        gateways: The valid gateways.
        before: An earlier index, and the warnings then.

    Returns:
        The virtual services that are served, and the warnings of the others. While a gateway is
        invalid nothing is reported, since that one may be theirs.
    """
    valid = list(gateways)
    attached = {key for gateway in valid for key in gateway.hosts}
    all_valid = len([gateway for gateway in valid if gateway.resource]) == len(index.gateways)
    if not all_valid or any(ref.kind == "Gateway" for ref in index.broken):
        return attached, {}
    earlier, known = before
    return attached, {
        key: known[key]
        if key in known and earlier.virtual_services.get(key) is resource
        else _unattached(resource)
        for key, resource in index.virtual_services.items()
        if key not in attached
    }


def _unattached(resource: Resource[VirtualServiceSpec]) -> Finding:
    findings = Findings(resource)
    findings.add(
        rules.UNATTACHED_VIRTUAL_SERVICE,
        Place(resource, ("metadata", "name")),
        "no gateway serves this virtual service",
        help="name it in a Gateway's 'httpGateway', or give it labels that one selects",
    )
    return findings.found[0]


def _gateway(
    resource: Resource[GatewaySpec], index: Index, found: list[Finding]
) -> GatewayDraft | None:
    findings = Findings(resource, found=found)
    spec, place = resource.spec, Place(resource, ("spec",))
    valid = True
    if not is_ip(spec.bind_address):
        message = f"'{spec.bind_address}' is not an IP address"
        findings.add(rules.BAD_ADDRESS, place.at("bindAddress"), message)
        valid = False
    if spec.http_gateway is None:
        findings.add(
            rules.MISSING_FIELD,
            place.key,
            "the gateway does not say what it serves",
            help="set 'httpGateway: {}' to serve all virtual services",
        )
        return None
    hosts = _hosts(spec.http_gateway, place.at("httpGateway"), findings, index)
    if hosts is None or not valid:
        return None
    return GatewayDraft(
        resource=resource,
        address=canonical_ip(spec.bind_address),
        port=spec.bind_port,
        proxies=tuple(dict.fromkeys(spec.proxy_names)),
        hosts=hosts,
    )


def _hosts(
    spec: HttpGateway, place: Place, findings: Findings, index: Index
) -> tuple[Key, ...] | None:
    """
    Choose virtual services: by expressions, else by labels, else by name, else all.

    Returns:
        Their keys, or None if that cannot be decided.
    """
    services = index.virtual_services
    expressions = spec.virtual_service_expressions
    by_expressions = expressions.expressions if expressions is not None else ()
    for number, expression in enumerate(by_expressions):
        complaint = expression_complaint(expression)
        if complaint:
            where = place.at("virtualServiceExpressions", "expressions", number)
            findings.add(rules.BAD_SELECTOR, where, complaint)
            return None
    if not by_expressions and not spec.virtual_service_selector and spec.virtual_services:
        return _named(spec, place.at("virtualServices"), findings, index)
    namespaces = set(spec.virtual_service_namespaces)
    everywhere = not namespaces or "*" in namespaces
    return tuple(
        key
        for key, service in services.items()
        if (everywhere or key[0] in namespaces)
        and (
            fulfils(service.labels, by_expressions)
            if by_expressions
            else has_labels(service.labels, spec.virtual_service_selector)
        )
    )


def _named(spec: HttpGateway, place: Place, findings: Findings, index: Index) -> tuple[Key, ...]:
    keys: dict[Key, None] = {}
    for number, ref in enumerate(spec.virtual_services):
        key = (ref.namespace or findings.resource.ref.namespace, ref.name)
        if key in index.virtual_services:
            keys[key] = None
        elif (wanted := ResourceRef("VirtualService", *key)) not in index.broken:
            findings.add(
                rules.UNKNOWN_VIRTUAL_SERVICE,
                place.at(number, "name"),
                f"virtual service '{'/'.join(key)}' does not exist",
                help=similar_resource(wanted, index),
                effect="the gateway serves the others",
            )
    return tuple(keys)


def _listener(
    gateway: GatewayDraft,
    hosts: Mapping[Key, HostDraft],
    incumbents: Incumbents,
    found: list[Finding],
) -> ListenerDraft:
    name = names.listener(gateway.address, gateway.port)
    configuration = names.route_configuration(name)
    drafts = [hosts[key] for key in gateway.hosts]
    return ListenerDraft(
        listener=ir.Listener(
            name=name,
            address=gateway.address,
            port=gateway.port,
            routes=configuration,
            source=names.source(gateway.resource.ref) if gateway.resource is not None else None,
        ),
        routes=ir.RouteConfiguration(
            name=configuration,
            virtual_hosts=virtual_hosts(configuration, drafts, incumbents, found),
        ),
    )


def _report_conflict(
    gateway: GatewayDraft, first: GatewayDraft, proxy: str, found: list[Finding]
) -> None:
    if gateway.resource is None or first.resource is None:
        return
    owner = first.resource.ref
    Findings(gateway.resource, found=found).add(
        rules.ADDRESS_CONFLICT,
        Place(gateway.resource, ("spec", "bindPort")),
        f"{owner} already opens port {gateway.port} on {first.address} in proxy '{proxy}'",
        help="use another port or address",
        effect=f"proxy '{proxy}' does not open this listener; {owner} keeps serving",
        related=(("first here", Place(first.resource, ("spec", "bindPort")).value),),
    )

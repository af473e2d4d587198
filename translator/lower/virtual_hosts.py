"""From virtual services to virtual hosts: their routes, and who owns which domain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translator import ir
from translator.lower import names
from translator.lower.findings import Findings, Place
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from translator.lower.findings import Finding
    from translator.lower.incumbents import Incumbents
    from translator.resources import Resource
    from translator.resources.specs import VirtualServiceSpec

_ALL = "*"
_DOMAIN = re.compile(r"\*|\*?[A-Za-z0-9_.:\[\]-]+|[A-Za-z0-9_.:\[\]-]+\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDraft:
    """A virtual service before its domains meet those of others."""

    resource: Resource[VirtualServiceSpec]
    domains: tuple[tuple[str, Place], ...]
    """Its valid domains in lower case, each with its place."""
    routes: tuple[ir.Route, ...]


def own_domains(
    resource: Resource[VirtualServiceSpec], found: list[Finding]
) -> tuple[tuple[str, Place], ...]:
    """Check the domains of a virtual service on their own; none is all."""
    findings = Findings(resource, found=found)
    place = Place(resource, ("spec", "virtualHost", "domains"))
    host = resource.spec.virtual_host
    if host is None:
        findings.add(
            rules.MISSING_FIELD,
            Place(resource, ("spec",)).key,
            "the virtual service has no virtual host",
            help="set 'virtualHost' with domains and routes",
        )
        return ()
    if host.domains in {(), ("",)}:
        return ((_ALL, place),)
    valid: dict[str, Place] = {}
    for index, domain in enumerate(host.domains):
        where = place.at(index)
        lowered = domain.lower()
        complaint = _domain_complaint(domain)
        if complaint:
            message = f"'{domain}' is not a domain: {complaint}"
            effect = f"requests for '{domain}' are not served by this virtual service"
            findings.add(rules.BAD_DOMAIN, where, message, effect=effect)
        elif lowered in valid:
            findings.add(
                rules.DOMAIN_CONFLICT,
                where,
                f"the domain '{domain}' stands twice",
                help="remove one of them",
                effect="none; the first one counts",
                related=(("first here", valid[lowered].value),),
            )
        else:
            valid[lowered] = where
    return tuple(valid.items())


def by_age(resources: Iterable[HostDraft]) -> list[HostDraft]:
    """Sort the oldest first; those without a date last, and by name."""
    return sorted(resources, key=lambda host: age(host.resource))


def age(resource: Resource[object]) -> tuple[bool, str, str, str]:
    """Order resources that compete: the oldest wins, and the name decides among equals."""
    ref = resource.ref
    return not resource.created, resource.created, ref.namespace, ref.name


def virtual_hosts(
    configuration: str,
    hosts: Sequence[HostDraft],
    incumbents: Incumbents,
    found: list[Finding],
) -> tuple[ir.VirtualHost, ...]:
    """
    Give each domain of one listener to who has it already, else to its oldest owner.

    A virtual service that loses all its domains is not served.
    """
    owners = {
        domain: (host, place)
        for host in hosts
        for domain, place in host.domains
        if incumbents.domains.get((configuration, domain)) == host.resource.ref.key
    }
    served: list[ir.VirtualHost] = []
    for host in by_age(hosts):
        kept: list[str] = []
        for domain, place in host.domains:
            owner, first = owners.setdefault(domain, (host, place))
            if owner is host:
                kept.append(domain)
                continue
            Findings(host.resource, found=found).add(
                rules.DOMAIN_CONFLICT,
                place,
                f"the domain '{domain}' belongs to {owner.resource.ref}, which came first",
                help="delegate from there, or use another domain",
                effect=f"requests for '{domain}' are served by {owner.resource.ref} only",
                related=(("first here", first.value),),
            )
        if kept:
            served.append(
                ir.VirtualHost(
                    name=names.virtual_host(host.resource.ref),
                    domains=tuple(sorted(kept)),
                    routes=host.routes,
                    source=names.source(host.resource.ref),
                )
            )
    return tuple(sorted(served, key=lambda host: host.name))


def _domain_complaint(domain: str) -> str:
    if not domain:
        return "it is empty"
    if "*" in domain[1:-1] or (domain != _ALL and domain[0] == domain[-1] == "*"):
        return "'*' may stand at the beginning or at the end only"
    if not _DOMAIN.fullmatch(domain):
        return "it has characters that no host has"
    return ""

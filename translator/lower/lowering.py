from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from translator import ir
from translator.lower.delegation import Delegations, DelegationsBefore, find_delegations
from translator.lower.drafts import Drafts, DraftsBefore, lower_drafts
from translator.lower.gateways import lower_gateways, lower_listeners, report_unattached
from translator.lower.hosts import Affected, Host, HostsBefore, lower_hosts
from translator.lower.incumbents import NOBODY, Incumbents
from translator.lower.subsets import SubsetCheck, SubsetsBefore, check_subsets
from translator.lower.upstreams import Upstreams, lower_former, lower_upstreams
from translator.resources import EMPTY
from translator.reuse import same, same_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.lower.findings import Blame, Finding, Place, Victim
    from translator.lower.gateways import GatewayDraft, ListenerDraft
    from translator.report import ResourceRef
    from translator.resources import Index, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Who listens where for whom."""

    gateways: tuple[GatewayDraft, ...] = ()
    """The valid gateways."""
    listeners: Mapping[str, list[ListenerDraft]] = field(default_factory=dict)
    """By proxy."""
    attached: frozenset[Key] = frozenset()
    """The virtual services that a gateway serves."""
    unattached: Mapping[Key, Finding] = field(default_factory=dict)
    """What is reported of the others."""
    found: tuple[Finding, ...] = ()
    """What is wrong with gateways, and with domains that several want."""
    incumbents: Incumbents = NOBODY
    """Who had what only one can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What some resources mean, stage by stage; none of it changes."""

    index: Index = EMPTY
    upstreams: Upstreams = field(default_factory=Upstreams)
    drafts: Drafts = field(default_factory=Drafts)
    subsets: SubsetCheck = field(default_factory=SubsetCheck)
    delegations: Delegations = field(default_factory=Delegations)
    hosts: Mapping[Key, Host] = field(default_factory=dict)
    """By virtual service."""
    listening: Listening = field(default_factory=Listening)
    proxies: tuple[ir.Proxy, ...] = ()
    """Sorted by name; their routes may be invalid."""
    former: tuple[tuple[ir.Cluster, ...], tuple[ir.LoadAssignment, ...]] = ((), ())
    """Upstreams that are gone or invalid, from when they were good last, with endpoints as they
    are now. No route leads to them; one that is held or kept may need them."""
    findings: tuple[Finding, ...] = ()
    """Every mistake, once, sorted by place."""
    victims: Mapping[Blame, tuple[Victim, ...]] = field(default_factory=dict)
    """The invalid routes by what is to blame."""
    rejected: frozenset[ResourceRef] = frozenset()
    """Gateways that open nothing and virtual services without a domain, by a mistake of theirs."""
    affected: tuple[Affected, ...] = ()
    """Sorted."""

    def delegator(self, ref: ResourceRef) -> Place | None:
        """Return the first route that delegates to a table, if there is any."""
        return self.delegations.delegator(ref)

    def labels(self, ref: ResourceRef) -> tuple[str, ...]:
        """Return the labels of the routes of a table, by which they can be blamed."""
        table = self.drafts.table(ref)
        return table.labels if table is not None else ()


NOTHING: Final = Lowered()


def lower(index: Index, incumbents: Incumbents = NOBODY, before: Lowered = NOTHING) -> Lowered:
    """
    Lower resources to what each proxy is to do.

    A route with a mistake stays in the result and carries the mistake's code; what is served in
    its place is for others to decide. Nothing depends on the order of the resources.

    Args:
        index: The resources.
        incumbents: Who had what only one can have, so that no newcomer takes it away.
        before: What other resources meant. What has not changed since is used again; the result
            does not depend on it.
    """
    upstreams = lower_upstreams(index, (before.index, before.upstreams))
    tables = lower_drafts(
        index,
        upstreams,
        DraftsBefore(index=before.index, upstreams=before.upstreams, drafts=before.drafts),
    )
    delegations = find_delegations(
        index,
        tables,
        DelegationsBefore(index=before.index, drafts=before.drafts, delegations=before.delegations),
    )
    services = lower_hosts(
        index, tables, delegations, HostsBefore(before.drafts, before.delegations, before.hosts)
    )
    checked = check_subsets(
        tables, upstreams, SubsetsBefore(before.drafts, before.upstreams, before.subsets)
    )
    listening = _listen(index, services, incumbents, before)
    findings = chain(
        listening.found,
        listening.unattached.values(),
        *(host.found for host in services.values()),
        _shadows(services.values()),
        tables.found,
        upstreams.found,
        delegations.found,
        *checked.found.values(),
    )
    former = {proxy.name: proxy for proxy in before.proxies}
    return Lowered(
        index=index,
        upstreams=upstreams,
        drafts=tables,
        subsets=checked,
        delegations=delegations,
        hosts=services,
        listening=listening,
        proxies=tuple(
            _proxy(name, listeners, upstreams, former.get(name))
            for name, listeners in listening.listeners.items()
        ),
        former=lower_former(index),
        findings=_distinct(findings, index),
        victims=_victims(services[key] for key in services if key in listening.attached),
        rejected=_rejected(index, listening.gateways, services),
        affected=_affected(services.values(), upstreams),
    )


def _listen(
    index: Index, services: Mapping[Key, Host], incumbents: Incumbents, before: Lowered
) -> Listening:
    """Decide who listens where for whom, unless nothing has changed about that."""
    old, earlier = before.listening, before.index
    if (
        before is not NOTHING
        and services is before.hosts
        and index.gateways is earlier.gateways
        and index.virtual_services is earlier.virtual_services
        and index.broken == earlier.broken
        and incumbents == old.incumbents
    ):
        return old
    found: list[Finding] = []
    gateways = lower_gateways(index, incumbents, found)
    attached, unattached = report_unattached(index, gateways, (earlier, old.unattached))
    drafts = {key: host.draft for key, host in services.items()}
    return Listening(
        gateways=tuple(gateways),
        listeners=lower_listeners(gateways, drafts, incumbents, found),
        attached=frozenset(attached),
        unattached=unattached,
        found=tuple(found),
        incumbents=incumbents,
    )


def _proxy(
    name: str, drafts: list[ListenerDraft], upstreams: Upstreams, old: ir.Proxy | None
) -> ir.Proxy:
    listeners = sorted((draft.listener for draft in drafts), key=lambda it: it.name)
    configurations = sorted((draft.routes for draft in drafts), key=lambda it: it.name)
    proxy = ir.Proxy(
        name=name,
        listeners=tuple(listeners),
        route_configurations=tuple(configurations),
        clusters=upstreams.sorted_clusters,
        load_assignments=upstreams.assignments,
    )
    if old is None:
        return proxy
    known = {each.name: each for each in old.route_configurations}
    configurations = [_configuration(each, known.get(each.name)) for each in configurations]
    return same(
        replace(
            proxy,
            listeners=same_items(proxy.listeners, old.listeners),
            route_configurations=same_items(tuple(configurations), old.route_configurations),
        ),
        old,
    )


def _configuration(
    new: ir.RouteConfiguration, old: ir.RouteConfiguration | None
) -> ir.RouteConfiguration:
    if old is None:
        return new
    known = {host.name: host for host in old.virtual_hosts}
    virtual_hosts = tuple(same(host, known.get(host.name)) for host in new.virtual_hosts)
    return same(replace(new, virtual_hosts=virtual_hosts), old)


def _rejected(
    index: Index, gateways: Iterable[GatewayDraft], services: Mapping[Key, Host]
) -> frozenset[ResourceRef]:
    valid = {draft.resource.ref for draft in gateways if draft.resource is not None}
    drafts = (host.draft for host in services.values())
    silent = (draft.resource.ref for draft in drafts if not draft.domains)
    return frozenset({resource.ref for resource in index.gateways.values()} - valid).union(silent)


def _victims(attached: Iterable[Host]) -> dict[Blame, tuple[Victim, ...]]:
    """Tell which routes suffer from what."""
    victims: dict[Blame, dict[Victim, None]] = {}
    for host in attached:
        for blame, victim in host.victims:
            victims.setdefault(blame, {})[victim] = None
    return {blame: tuple(found) for blame, found in victims.items()}


def _shadows(services: Iterable[Host]) -> Iterable[Finding]:
    """
    Yield what is wrong with the order of routes.

    The tables of one team may be under many domains, and one finding for each route is enough.
    """
    reported: set[Place] = set()
    for host in services:
        for place, finding in host.hidden:
            if place not in reported:
                reported.add(place)
                yield finding


def _distinct(found: Iterable[Finding], index: Index) -> tuple[Finding, ...]:
    """Drop what was found twice, and what was found in a text that is not there any more."""
    distinct: dict[tuple[object, ...], Finding] = {}
    for finding in found:
        diagnostic = finding.diagnostic
        if diagnostic.resource not in index.stale:
            key = (diagnostic.code, diagnostic.resource, diagnostic.position)
            distinct.setdefault(key, finding)
    return tuple(sorted(distinct.values(), key=lambda finding: finding.diagnostic.sort_key))


def _affected(services: Iterable[Host], upstreams: Upstreams) -> tuple[Affected, ...]:
    affected = {each for host in services for each in host.affected}
    affected |= {
        Affected(resource=resource, route="", cause=cause) for resource, cause in upstreams.causes
    }
    return tuple(sorted(affected))

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from translator import ir
from translator.lower import names
from translator.lower.delegation import Delegation
from translator.lower.destinations import Destinations
from translator.lower.findings import Findings, Place, Victim
from translator.lower.gateways import lower_gateways, lower_listeners, report_unattached
from translator.lower.incumbents import NOBODY, Incumbents
from translator.lower.shadows import find_shadows
from translator.lower.subsets import check_subsets
from translator.lower.tables import lower_table, without_own_routes
from translator.lower.upstreams import lower_upstreams
from translator.lower.virtual_hosts import HostDraft, expand, own_domains
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.lower.delegation import FlatRoute
    from translator.lower.findings import Blame, Finding
    from translator.lower.gateways import GatewayDraft
    from translator.lower.tables import TableDraft
    from translator.lower.upstreams import Upstreams
    from translator.report import ResourceRef
    from translator.resources import Index, Key


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Affected:
    """A route, or a whole resource, that is invalid because of another resource."""

    resource: ResourceRef
    """Who suffers."""
    route: str
    """The name or place of the route; empty for the whole resource."""
    cause: ResourceRef
    """Who holds the mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What some resources mean."""

    proxies: tuple[ir.Proxy, ...]
    """Sorted by name; their routes may be invalid."""
    former: tuple[tuple[ir.Cluster, ...], tuple[ir.LoadAssignment, ...]]
    """Upstreams that are gone or invalid, from when they were good last, with endpoints as they
    are now. No route leads to them; one that is held or kept may need them."""
    findings: tuple[Finding, ...]
    """Every mistake, once, sorted by place."""
    victims: Mapping[Blame, tuple[Victim, ...]]
    """The invalid routes by what is to blame."""
    rejected: frozenset[ResourceRef]
    """Gateways that open nothing and virtual services without a domain, by a mistake of theirs."""
    labels: Mapping[ResourceRef, tuple[str, ...]]
    """The labels of the routes of each table, by which they can be blamed."""
    delegators: Mapping[ResourceRef, Place]
    """For each table the first route that delegates to it."""
    affected: tuple[Affected, ...]
    """Sorted."""


def lower(index: Index, incumbents: Incumbents = NOBODY) -> Lowered:
    """
    Lower resources to what each proxy is to do.

    A route with a mistake stays in the result and carries the mistake's code; what is served in
    its place is for others to decide. Nothing depends on the order of the resources.

    Args:
        index: The resources.
        incumbents: Who had what only one can have, so that no newcomer takes it away.
    """
    found: list[Finding] = []
    upstreams = lower_upstreams(index)
    destinations = Destinations(index=index, clusters=upstreams.clusters)
    destinations.lower_groups()
    tables = {
        key: lower_table(resource, resource.spec.routes, Place(resource, _TABLE), destinations)
        for key, resource in index.route_tables.items()
    }
    services = {
        key: lower_table(
            resource,
            resource.spec.virtual_host.routes if resource.spec.virtual_host is not None else (),
            Place(resource, _VIRTUAL_SERVICE),
            destinations,
        )
        for key, resource in index.virtual_services.items()
    }
    for ref in index.stale:
        for drafts in (tables, services):
            if (key := (ref.namespace, ref.name)) in drafts and drafts[key].resource.ref == ref:
                drafts[key] = without_own_routes(drafts[key])
    delegation = Delegation(index=index, tables=tables)
    delegation.find_targets([*services.values(), *tables.values()])
    flat = {key: delegation.flatten(table) for key, table in services.items()}
    hosts: dict[Key, HostDraft] = {}
    shadowed: set[Place] = set()
    for key, resource in index.virtual_services.items():
        entries = expand(flat[key])
        found += find_shadows(entries, shadowed)
        hosts[key] = HostDraft(
            resource=resource,
            domains=own_domains(resource, found),
            routes=tuple(entry.route for entry in entries),
        )
    gateways = lower_gateways(index, incumbents, found)
    attached = report_unattached(index, gateways, found)
    listeners = lower_listeners(gateways, hosts, incumbents, found)
    _report_unreached(tables, services, delegation, index, found)
    subsets = [*destinations.subsets]
    for table in (*tables.values(), *services.values()):
        found += table.found
        subsets += (use for route in table.routes for use in route.subsets)
    found += [*upstreams.found, *destinations.found, *delegation.found]
    found += check_subsets(subsets, upstreams.clusters, upstreams.endpoints)
    invalid = [route for key in services if key in attached for route in flat[key] if _bad(route)]
    return Lowered(
        proxies=tuple(
            _proxy(
                name,
                tuple(draft.listener for draft in drafts),
                tuple(draft.routes for draft in drafts),
                upstreams,
            )
            for name, drafts in listeners.items()
        ),
        former=_former(index),
        findings=_distinct(found, index),
        victims=_victims(invalid),
        rejected=_rejected(index, gateways, hosts),
        labels={
            table.resource.ref: tuple(route.label for route in table.routes)
            for table in (*tables.values(), *services.values())
        },
        delegators=delegation.delegators((*services.values(), *tables.values())),
        affected=_affected(flat.values(), upstreams),
    )


_TABLE = ("spec", "routes")
_VIRTUAL_SERVICE = ("spec", "virtualHost", "routes")


def _proxy(
    name: str,
    listeners: tuple[ir.Listener, ...],
    configurations: tuple[ir.RouteConfiguration, ...],
    upstreams: Upstreams,
) -> ir.Proxy:
    return ir.Proxy(
        name=name,
        listeners=tuple(sorted(listeners, key=lambda listener: listener.name)),
        route_configurations=tuple(sorted(configurations, key=lambda routes: routes.name)),
        clusters=tuple(sorted(upstreams.clusters.values(), key=lambda cluster: cluster.name)),
        load_assignments=tuple(
            sorted(upstreams.assignments, key=lambda assignment: assignment.cluster)
        ),
    )


def _bad(route: FlatRoute) -> bool:
    if route.faults or route.action is None:
        return True
    return isinstance(route.action, ir.Split) and any(
        member.faults for member in route.action.members
    )


def _rejected(
    index: Index, gateways: Iterable[GatewayDraft], hosts: Mapping[Key, HostDraft]
) -> frozenset[ResourceRef]:
    valid = {draft.resource.ref for draft in gateways if draft.resource is not None}
    silent = (host.resource.ref for host in hosts.values() if not host.domains)
    return frozenset({resource.ref for resource in index.gateways.values()} - valid).union(silent)


def _victims(invalid: Iterable[FlatRoute]) -> dict[Blame, tuple[Victim, ...]]:
    """Tell which routes suffer from what."""
    victims: dict[Blame, dict[Victim, None]] = {}
    for route in invalid:
        own = (route.draft.owner, route.draft.label)
        victim = Victim(source=names.source(*own), matches=route.plain_matches)
        for blame in (own, *((ref, "") for ref in route.causes)):
            victims.setdefault(blame, {})[victim] = None
    return {blame: tuple(found) for blame, found in victims.items()}


def _distinct(found: Iterable[Finding], index: Index) -> tuple[Finding, ...]:
    """Drop what was found twice, and what was found in a text that is not there any more."""
    distinct: dict[tuple[object, ...], Finding] = {}
    for finding in found:
        diagnostic = finding.diagnostic
        if diagnostic.resource not in index.stale:
            key = (diagnostic.code, diagnostic.resource, diagnostic.position)
            distinct.setdefault(key, finding)
    return tuple(sorted(distinct.values(), key=lambda finding: finding.diagnostic.sort_key))


def _former(index: Index) -> tuple[tuple[ir.Cluster, ...], tuple[ir.LoadAssignment, ...]]:
    former = lower_upstreams(replace(index, upstreams=index.former_upstreams))
    return tuple(former.clusters.values()), tuple(former.assignments)


def _affected(hosts: Iterable[Iterable[FlatRoute]], upstreams: Upstreams) -> tuple[Affected, ...]:
    affected = {
        Affected(resource=route.draft.owner, route=route.draft.label, cause=cause)
        for routes in hosts
        for route in routes
        for cause in route.causes
    }
    affected |= {
        Affected(resource=resource, route="", cause=cause) for resource, cause in upstreams.causes
    }
    return tuple(sorted(affected))


def _report_unreached(
    tables: Mapping[Key, TableDraft],
    services: Mapping[Key, TableDraft],
    delegation: Delegation,
    index: Index,
    found: list[Finding],
) -> None:
    """
    Warn of route tables that no virtual service leads to.

    While something that might lead there cannot be read, nothing is reported.
    """
    if any(ref.kind in {"VirtualService", "RouteTable"} for ref in index.broken):
        return
    drafts = [*services.values(), *tables.values()]
    if any(route.may_delegate for table in drafts for route in table.routes):
        return
    reached = delegation.reached_from(services.values())
    for key, table in tables.items():
        if key not in reached:
            Findings(table.resource, found=found).add(
                rules.UNREACHED_ROUTE_TABLE,
                Place(table.resource, ("metadata", "name")),
                "no virtual service leads to this route table",
                help="delegate to it by 'ref', or give it labels that a selector wants",
                effect="none of its routes is served",
            )

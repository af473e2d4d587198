"""Every virtual service with all of its routes, as far as it is not as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from translator.lower import names
from translator.lower.findings import Victim
from translator.lower.inheritance import Scope
from translator.lower.placed import place
from translator.lower.shadows import Shadows, find_shadows
from translator.lower.virtual_hosts import HostDraft, own_domains
from translator.lower.walk import Walk
from translator.reuse import changes, same_items

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from translator.lower.delegation import Delegations
    from translator.lower.drafts import Drafts
    from translator.lower.findings import Blame, Finding, Place
    from translator.lower.placed import FlatRoute, Placed
    from translator.lower.tables import TableDraft
    from translator.lower.walk import Block
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
class Host:
    """One virtual service, and what its routes became."""

    draft: HostDraft
    visited: frozenset[Key]
    """The tables that it leads to."""
    blocks: Mapping[tuple[Key, ...], Block]
    shadows: Shadows
    hidden: tuple[tuple[Place, Finding], ...]
    """The routes that are hidden by others, each with its finding."""
    found: tuple[Finding, ...]
    """What is wrong with its domains and with delegations."""
    invalid: tuple[FlatRoute, ...]
    """The routes of which anything cannot be served as written."""

    @property
    def affected(self) -> Iterator[Affected]:
        """Who suffers from the mistakes of other resources."""
        for route in self.invalid:
            for cause in route.causes:
                yield Affected(resource=route.draft.owner, route=route.draft.label, cause=cause)

    @property
    def victims(self) -> Iterator[tuple[Blame, Victim]]:
        """Which routes suffer from what."""
        for route in self.invalid:
            own = (route.draft.owner, route.draft.label)
            victim = Victim(source=names.source(*own), matches=route.plain_matches)
            for blame in (own, *((ref, "") for ref in route.causes)):
                yield blame, victim


class HostsBefore(NamedTuple):
    """What there was before."""

    drafts: Drafts
    delegations: Delegations
    hosts: Mapping[Key, Host]


def lower_hosts(
    index: Index, drafts: Drafts, delegations: Delegations, before: HostsBefore
) -> Mapping[Key, Host]:
    """
    Put the routes of all virtual services together.

    Args:
        index: The resources.
        drafts: The tables, lowered.
        delegations: Who delegates to whom.
        before: What there was before. Only virtual services that lead to anything that is other
            than it was are looked at again; the result does not depend on it.
    """
    tables = changes(drafts.tables, before.drafts.tables)
    services = changes(drafts.services, before.drafts.services)
    for ref in changes(delegations.by_table, before.delegations.by_table):
        (tables if ref.kind == "RouteTable" else services).add(ref.key)
    if not tables and not services:
        return before.hosts
    hosts: dict[Key, Host] = {}
    for key, service in drafts.services.items():
        old = before.hosts.get(key)
        if old is None or key in services or not old.visited.isdisjoint(tables):
            hosts[key] = _host(index, key, service, drafts, delegations, old)
        else:
            hosts[key] = old
    return hosts


def _host(
    index: Index,
    key: Key,
    service: TableDraft,
    drafts: Drafts,
    delegations: Delegations,
    old: Host | None,
) -> Host:
    routes = old.draft.routes if old is not None else ()
    walk = Walk(
        tables=drafts.tables,
        delegations=delegations,
        former=old.blocks if old is not None else {},
        known={route.name: route for route in routes},
        # The names of its own routes are like those of a table that is called as it is.
        visited={key},
    )
    placed = walk.routes(service, Scope())
    if walk.again:
        walk, placed = _together(service, walk)
    entries = tuple([entry for each in placed for entry in each.entries])
    resource = index.virtual_services[key]
    found: list[Finding] = []
    domains = own_domains(resource, found)
    shadows = find_shadows(entries, old.shadows if old is not None else Shadows())
    return Host(
        draft=HostDraft(
            resource=resource,
            domains=domains,
            routes=same_items(tuple([entry.route for entry in entries]), routes),
        ),
        visited=frozenset(walk.visited),
        blocks=walk.blocks,
        shadows=shadows,
        hidden=shadows.found,
        found=(*found, *walk.found),
        invalid=tuple(each.flat for each in placed if each.flat is not None),
    )


def _together(service: TableDraft, walk: Walk) -> tuple[Walk, list[Placed]]:
    """Name all routes together, where a table is reached more than once."""
    walk = Walk(
        tables=walk.tables,
        delegations=walk.delegations,
        former={},
        known=walk.known,
        visited={service.resource.ref.key},
        apart=False,
    )
    flat = [each.flat for each in walk.routes(service, Scope()) if each.flat is not None]
    walk.blocks.clear()  # their routes have no names
    return walk, place(flat, walk.known)

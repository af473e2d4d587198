"""Who may be at fault for what Envoy refuses: whatever changed since it accepted something."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from translator.ir.digest import digest, digest_routes
from translator.policy.owners import owner_of
from translator.policy.quarantine import Refusal, Subject
from translator.policy.routes import groups

if TYPE_CHECKING:
    from translator import ir
    from translator.report import ResourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Something that may be what Envoy refuses."""

    subject: Subject
    owner: ResourceRef
    value: object
    """Of the IR: the Envoy routes of one written route, or whatever a resource became."""

    @property
    def routes(self) -> tuple[ir.Route, ...]:
        """The Envoy routes, if it is a route."""
        return self.value if isinstance(self.value, tuple) else ()

    def refusal(self, text: str, by: str) -> Refusal:
        """
        Make it a fact.

        Args:
            text: Envoy's words.
            by: Which Envoy it was.
        """
        content = digest_routes(self.routes) if self.routes else digest(self.value)
        return Refusal(subject=self.subject, owner=self.owner, content=content, text=text, by=by)


def suspects(
    now: ir.RouteConfiguration, accepted: ir.RouteConfiguration | None
) -> tuple[Suspect, ...]:
    """
    List what differs between two route configurations, routes before virtual hosts.

    A refusal is about content. So a route that says what an accepted one of the same author said is
    not listed, whatever its name: its author may have added one above it, or another way to it.

    Args:
        now: The one that is refused.
        accepted: The last one that was accepted; None if there is none.
    """
    routes: list[Suspect] = []
    hosts: list[Suspect] = []
    known = {host.name: host for host in (accepted.virtual_hosts if accepted else ())}
    before = {name: groups(host.routes) for name, host in known.items()}
    for host in now.virtual_hosts:
        former = {group[0].identity: group for group in before.get(host.name, ())}
        for group in groups(host.routes):
            if former.get(group[0].identity) != group:
                owner = owner_of(group[0].source)
                routes.append(Suspect(subject=Subject.ROUTE, owner=owner, value=group))
        outline = replace(host, routes=())
        if host.name not in known or replace(known[host.name], routes=()) != outline:
            owner = owner_of(host.source)
            hosts.append(Suspect(subject=Subject.RESOURCE, owner=owner, value=outline))
    owners = {each.owner for each in routes}
    innocent = {
        (owner, digest_routes(group))
        for group in itertools.chain.from_iterable(before.values())
        if (owner := owner_of(group[0].source)) in owners
    }
    if innocent:
        routes = [
            each for each in routes if (each.owner, digest_routes(each.routes)) not in innocent
        ]
    return (*routes, *hosts)


def suspect(proxy: ir.Proxy, kind: str, name: str) -> Suspect | None:
    """
    Find what a refused resource came from.

    Args:
        proxy: What was served.
        kind: `Cluster`, `Listener` or `ClusterLoadAssignment`.
        name: The name of Envoy's resource.
    """
    match kind:
        case "Cluster":
            for cluster in proxy.clusters:
                if cluster.name == name:
                    return Suspect(
                        subject=Subject.RESOURCE, owner=owner_of(cluster.source), value=cluster
                    )
        case "Listener":
            for listener in proxy.listeners:
                if listener.name == name and listener.source is not None:
                    return Suspect(
                        subject=Subject.RESOURCE, owner=owner_of(listener.source), value=listener
                    )
        case "ClusterLoadAssignment":
            owners = (owner_of(each.source) for each in proxy.clusters if each.name == name)
            for assignment in proxy.load_assignments:
                if assignment.cluster == name and (owner := next(owners, None)) is not None:
                    return Suspect(subject=Subject.ENDPOINTS, owner=owner, value=assignment)
    return None

"""
What an edit changed, in people's words.

In: what the proxies did before, and what they do now. Out: a line for each route, listener, domain
or upstream that differs, named after the resource that it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translator import ir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["describe_action", "describe_changes"]


@dataclass(frozen=True, slots=True)
class _Fact:
    text: str
    value: object
    """What the text tells of; may differ where the text does not."""


def describe_changes(before: Iterable[ir.Proxy], after: Iterable[ir.Proxy]) -> tuple[str, ...]:
    """Say what differs, each thing once, routes in the order in which Envoy tries them."""
    old, new = _by_subject(before), _by_subject(after)
    lines = []
    for subject, fact in new.items():
        if subject not in old:
            lines.append(f"{subject} is new: {fact.text}")
        elif old[subject].text != fact.text:
            lines.append(f"{subject} now {fact.text}")
        elif old[subject].value != fact.value:
            lines.append(f"{subject} changed in a detail, still {fact.text}")
    lines.extend(f"{subject} is gone" for subject in old if subject not in new)
    if [it for it in old if it in new] != [it for it in new if it in old]:
        lines.append("routes are tried in another order")
    return tuple(lines)


def describe_action(action: ir.Action | None, upstreams: Mapping[str, str]) -> str:
    """
    Say what happens to a request.

    Args:
        action: What a route does.
        upstreams: The name of the upstream behind each cluster.
    """

    def name(destination: ir.Destination) -> str:
        upstream = upstreams.get(destination.cluster, destination.cluster)
        return " ".join((upstream, *(value for _, value in destination.subset)))

    match action:
        case ir.Forward():
            return name(action.destination)
        case ir.Split():
            total = sum(member.weight for member in action.members) or 1
            return ", ".join(
                f"{name(member.destination)} {100 * member.weight / total:.4g} %"
                for member in action.members
            )
        case ir.Redirect():
            return f"a redirect with status {action.code}"
        case ir.DirectResponse():
            return f"status {action.status} without a backend"
        case None:
            return "nothing"


def _by_subject(proxies: Iterable[ir.Proxy]) -> dict[str, _Fact]:
    """Collect everything worth a line; of equal subjects Envoy takes the first."""
    facts: dict[str, _Fact] = {}
    for proxy in proxies:
        for subject, fact in _facts(proxy):
            facts.setdefault(subject, fact)
    return facts


def _facts(proxy: ir.Proxy) -> Iterator[tuple[str, _Fact]]:
    upstreams = {cluster.name: cluster.source.name for cluster in proxy.clusters}
    owners = {cluster.name: _owner(cluster.source) for cluster in proxy.clusters}
    for listener in proxy.listeners:
        address = f"{listener.address}:{listener.port}"
        yield f"{_owner(listener.source)}: the listener", _Fact(address, listener)
    for cluster in proxy.clusters:
        yield f"{owners[cluster.name]}: the upstream", _Fact(_hosts(cluster.discovery), cluster)
    for assignment in proxy.load_assignments:
        owner = owners.get(assignment.cluster, assignment.cluster)
        yield f"{owner}: the endpoints", _Fact(_endpoints(assignment.endpoints), assignment)
    for configuration in proxy.route_configurations:
        for host in configuration.virtual_hosts:
            yield f"{_owner(host.source)}: the domains", _Fact(", ".join(host.domains), None)
            for route in host.routes:
                text = describe_action(route.action, upstreams)
                value = (route.action, route.options)
                yield f"{_owner(route.source)}: {route.match}", _Fact(text, value)


def _owner(source: ir.Source | None) -> str:
    return f"{source.namespace}/{source.name}" if source else "no Gateway"


def _hosts(discovery: ir.Discovery) -> str:
    match discovery:
        case ir.StaticHosts() | ir.DnsHosts():
            return _endpoints(discovery.endpoints)
        case ir.Pipe():
            return discovery.path
        case ir.EndpointDiscovery():
            return "the endpoints of a Service"


def _endpoints(endpoints: Iterable[ir.Endpoint]) -> str:
    found = (
        " ".join((f"{it.address}:{it.port}", *(value for _, value in it.labels if value)))
        for it in endpoints
    )
    return ", ".join(found) or "none"

"""The names of Envoy's resources and of their sources; decided here and nowhere else."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from translator.ir import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from translator.lower.placed import FlatRoute
    from translator.report import ResourceRef


def source(ref: ResourceRef, route: str = "") -> Source:
    """Name a resource, or one of its routes, in the IR."""
    return Source(kind=ref.kind, namespace=ref.namespace, name=ref.name, route=route)


def cluster(namespace: str, name: str) -> str:
    """Name the cluster of an upstream, as Gloo does; Kubernetes names hold no underscore."""
    return f"{name}_{namespace}"


def listener(address: str, port: int) -> str:
    """Name the listener on an address."""
    return f"listener-{address}-{port}"


def route_configuration(listener: str) -> str:
    """Name the route configuration of a listener."""
    return f"{listener}-routes"


def virtual_host(ref: ResourceRef) -> str:
    """Name the virtual host of a virtual service."""
    return f"{ref.namespace}_{ref.name}"


def route_labels(names: Iterable[str]) -> list[str]:
    """
    Label the routes of one table: by name, or by place if there is no name or it is taken.

    A label depends on nothing outside its table, so that an edit elsewhere renames no route.
    """
    labels: list[str] = []
    taken: set[str] = set()
    for index, name in enumerate(names):
        label = name if name and name not in taken else _numbered(name, index)
        while label in taken:
            # Somebody gave another route a name that looks like ours.
            label += "'"
        taken.add(label)
        labels.append(label)
    return labels


@lru_cache(maxsize=4096)
def _numbered(name: str, index: int) -> str:
    return f"{name}#{index}"


def route(owner: ResourceRef, label: str) -> str:
    """Name a route of a table."""
    return f"{owner.namespace}/{owner.name}/{label}"


def envoy_routes(routes: Iterable[FlatRoute]) -> list[str]:
    """
    Name the Envoy routes of one virtual host, each uniquely.

    The tables that a table is reached through are always part of a name, so that a team that
    delegates to another team's table renames none of that team's routes. The place of a matcher
    is part of it only where a route has several.
    """
    names: list[str] = []
    taken: set[str] = set()
    times: Counter[str] = Counter()
    for flat in routes:
        tables = (above.owner for above in reversed(flat.via) if above.owner.kind == "RouteTable")
        full = route(flat.draft.owner, flat.draft.label)
        full += "".join(f"@{table.namespace}/{table.name}" for table in tables)
        for index in range(len(flat.matches)):
            candidate = f"{full}/{index}" if len(flat.matches) > 1 else full
            # A table may be reached twice, and authors may give names that look like ours.
            times[candidate] += 1
            if times[candidate] > 1:
                candidate += "'" if times[candidate] == 2 else f"'{times[candidate]}"
            while candidate in taken:
                candidate += "'"
            taken.add(candidate)
            names.append(candidate)
    return names


def identities(routes: Iterable[FlatRoute]) -> list[str]:
    """
    Tell by what each route of a virtual host is recognised after an edit.

    That is its own name or, without one, what it matches; with its table and the tables above.
    Where several are alike, their order tells them apart.
    """
    unique: list[str] = []
    seen: Counter[str] = Counter()
    for route in routes:
        draft = route.draft
        by_label = draft.named or not draft.readable
        own = draft.label if by_label else " or ".join(map(str, route.plain_matches))
        tables = "".join(f" < {above.owner}" for above in reversed(route.via))
        identity = f"{draft.owner}{tables}: {own}"
        seen[identity] += 1
        unique.append(f"{identity} ({seen[identity]})" if seen[identity] > 1 else identity)
    return unique

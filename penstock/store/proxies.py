"""What the translator knows of one proxy, taken apart and put together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from translator import ir
from translator.ir.plain import from_plain, to_plain
from translator.policy import ProxyMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.store.packs import Entry

__all__ = ["Division", "Joiner", "RoutePart", "encode_ir", "encode_routes"]

T = TypeVar("T")

Routes: TypeAlias = tuple[ir.Route, ...]


class Runs(NamedTuple):
    """How the routes of one virtual host are put together."""

    tables: tuple[str, ...]
    """The parts with the routes of one table each."""
    order: tuple[tuple[int, int], ...]
    """Which of them is next, and with how many routes."""


class Host(NamedTuple):
    """A virtual host without its routes."""

    hollow: ir.VirtualHost
    served: Runs
    good: Runs | bool
    """Its last good routes; True if they are what it is served, False if there are none."""


RoutePart: TypeAlias = Host | Runs | Routes
"""What changes by itself: a host, the last good routes of one that is not served, or the routes
of one table in it."""


class _Divided(NamedTuple):
    """The routes of one host, taken apart."""

    host: ir.VirtualHost | None
    """None if only its last good routes are known."""
    good: Routes | None
    parts: Mapping[str, RoutePart]


@dataclass(frozen=True, slots=True)
class Division:
    """A memory, taken apart into an outline and parts by name."""

    memory: ProxyMemory
    outline: bytes
    clusters: Mapping[str, ir.Cluster]
    assignments: Mapping[str, ir.LoadAssignment]
    routes: Mapping[str, RoutePart]
    hosts: Mapping[tuple[str, str], _Divided]
    """By route configuration, or the empty name, and name."""

    @classmethod
    def of(cls, memory: ProxyMemory, before: Division | None = None) -> Division:
        """
        Take a memory apart.

        Args:
            memory: The memory.
            before: Another one, taken apart. What is the same object in both is not looked at.
        """
        proxy = memory.served
        if before is None:
            nothing = replace(proxy, clusters=(), load_assignments=(), route_configurations=())
            before = cls(ProxyMemory(served=nothing, whole=False, good={}), b"", {}, {}, {}, {})
        past = before.memory.served
        hosts = _hosts(memory, before.hosts)
        routes = before.routes
        if len(hosts) != len(before.hosts) or not all(
            map(is_, hosts.values(), before.hosts.values())
        ):
            routes = {}
            for host in hosts.values():
                routes.update(host.parts)
        return cls(
            memory=memory,
            outline=_outline(memory, [name for configuration, name in hosts if not configuration]),
            clusters=(
                before.clusters
                if proxy.clusters is past.clusters
                else {each.name: each for each in proxy.clusters}
            ),
            assignments=(
                before.assignments
                if proxy.load_assignments is past.load_assignments
                else {each.cluster: each for each in proxy.load_assignments}
            ),
            routes=routes,
            hosts=hosts,
        )


def _outline(memory: ProxyMemory, gone: list[str]) -> bytes:
    """Write what is in none of the parts, and which hosts there are."""
    proxy = memory.served
    hollow = replace(
        proxy,
        clusters=(),
        load_assignments=(),
        route_configurations=tuple(
            replace(each, virtual_hosts=()) for each in proxy.route_configurations
        ),
    )
    hosts = [[host.name for host in each.virtual_hosts] for each in proxy.route_configurations]
    plan = {"whole": memory.whole, "proxy": to_plain(hollow), "hosts": hosts, "gone": gone}
    return json.dumps(plan).encode()


def _hosts(
    memory: ProxyMemory, before: Mapping[tuple[str, str], _Divided]
) -> dict[tuple[str, str], _Divided]:
    """Take the routes apart; the first host of a name knows its last good routes."""
    hosts: dict[tuple[str, str], _Divided] = {}
    names: set[str] = set()
    for configuration in memory.served.route_configurations:
        for host in configuration.virtual_hosts:
            good = memory.good.get(host.name) if host.name not in names else host.routes
            names.add(host.name)
            key = configuration.name, host.name
            hosts[key] = _host(configuration.name, host, good, before.get(key))
    for name, good in memory.good.items():
        if name not in names:
            past = before.get(("", name))
            hosts["", name] = past if past is not None and past.good is good else _gone(name, good)
    return hosts


def _host(
    configuration: str, host: ir.VirtualHost, good: Routes | None, before: _Divided | None
) -> _Divided:
    if (
        before is not None
        and before.host is not None
        and before.host.routes is host.routes
        and before.good is good
        and (before.host.domains, before.host.source) == (host.domains, host.source)
    ):
        return before
    parts: dict[str, RoutePart] = {}
    known = before.parts if before is not None else {}
    served = _runs(host.routes, parts, known, ("routes", configuration, host.name))
    kept: Runs | bool = good is not None
    if good is not None and good is not host.routes and good != host.routes:
        # Most tables in it are good, and are those that are served.
        prefixes = ("routes", configuration, host.name), ("good", host.name)
        kept = _runs(good, parts, known, *prefixes)
    parts[_key("host", configuration, host.name)] = Host(replace(host, routes=()), served, kept)
    return _Divided(host, good, parts)


def _gone(name: str, good: Routes) -> _Divided:
    parts: dict[str, RoutePart] = {}
    parts[_key("good", name)] = _runs(good, parts, {}, ("good", name))
    return _Divided(None, good, parts)


def _runs(
    routes: Routes,
    parts: dict[str, RoutePart],
    known: Mapping[str, RoutePart],
    *prefixes: tuple[str, ...],
) -> Runs:
    """
    Divide routes by the table they came from.

    Args:
        routes: The routes.
        parts: Where to put those of each table, unless they are there.
        known: Parts that may be the same.
        prefixes: What the parts may be called; the next one if there are others of that name.
    """
    names: list[str] = []
    tables, order = _by_table(routes)
    for table, found in tables.items():
        part = tuple(found)
        for prefix in prefixes:
            name = _key(*prefix, *table)
            if name not in parts:
                past = known.get(name)
                parts[name] = past if past is not None and past == part else part
                break
            if parts[name] == part:
                break
        names.append(name)
    return Runs(tuple(names), tuple(order))


_Table: TypeAlias = tuple[str, str, str]


def _by_table(routes: Routes) -> tuple[dict[_Table, list[ir.Route]], list[tuple[int, int]]]:
    """Divide routes by the table they came from, with the order as runs: which table, how many."""
    tables: dict[_Table, list[ir.Route]] = {}
    numbers: dict[_Table, int] = {}
    order: list[tuple[int, int]] = []
    for route in routes:
        source = route.source
        table = (source.kind, source.namespace, source.name)
        number = numbers.setdefault(table, len(numbers))
        tables.setdefault(table, []).append(route)
        if order and order[-1][0] == number:
            order[-1] = (number, order[-1][1] + 1)
        else:
            order.append((number, 1))
    return tables, order


def encode_ir(part: ir.Cluster | ir.LoadAssignment) -> Entry:
    """Write a cluster or its endpoints."""
    return None, json.dumps(to_plain(part)).encode()


def encode_routes(part: RoutePart) -> Entry:
    """Write a part of the routes."""
    match part:
        case Host(hollow, served, good):
            return None, json.dumps([to_plain(hollow), served, good]).encode()
        case Runs():
            return None, json.dumps(part).encode()
        case _:
            return None, json.dumps(to_plain(part)).encode()


class Joiner:
    """Puts memories together; what is written the same becomes the same object."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, bytes], Any] = {}

    def join(
        self,
        outline: bytes,
        clusters: Iterable[bytes],
        assignments: Iterable[bytes],
        parts: Mapping[str, bytes],
    ) -> ProxyMemory:
        """
        Put together what was taken apart.

        Args:
            outline: The outline.
            clusters: All clusters.
            assignments: All load assignments.
            parts: The parts of the routes by name.

        Raises:
            ValueError: It does not fit together, or not into the IR of this version.
        """
        try:
            return self._join(json.loads(outline), clusters, assignments, parts)
        except (LookupError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def _join(
        self,
        plan: Any,
        clusters: Iterable[bytes],
        assignments: Iterable[bytes],
        parts: Mapping[str, bytes],
    ) -> ProxyMemory:
        good: dict[str, Routes] = {}
        seen: set[str] = set()

        def routes(runs: tuple[list[str], list[tuple[int, int]]]) -> Routes:
            names, order = runs
            rests = [iter(self._routes(parts[name])) for name in names]
            return tuple(
                route for number, length in order for route in islice(rests[number], length)
            )

        def host(configuration: str, name: str) -> ir.VirtualHost:
            hollow, served, kept = json.loads(parts[_key("host", configuration, name)])
            whole = replace(from_plain(ir.VirtualHost, hollow), routes=routes(served))
            if name not in seen and kept is not False:
                good[name] = whole.routes if kept is True else routes(kept)
            seen.add(name)
            return whole

        hollow = from_plain(ir.Proxy, plan["proxy"])
        configurations = tuple(
            replace(each, virtual_hosts=tuple(host(each.name, name) for name in names))
            for each, names in zip(hollow.route_configurations, plan["hosts"], strict=True)
        )
        good |= {name: routes(json.loads(parts[_key("good", name)])) for name in plan["gone"]}
        proxy = replace(
            hollow,
            route_configurations=configurations,
            clusters=self._sorted(ir.Cluster, clusters, "name"),
            load_assignments=self._sorted(ir.LoadAssignment, assignments, "cluster"),
        )
        return ProxyMemory(served=proxy, whole=plan["whole"], good=good)

    def _sorted(self, kind: type[T], written: Iterable[bytes], name: str) -> tuple[T, ...]:
        """Read what a proxy has sorted by name."""
        found = (self._once(kind, each, lambda plain: from_plain(kind, plain)) for each in written)
        return tuple(sorted(found, key=attrgetter(name)))

    def _routes(self, written: bytes) -> Routes:
        return self._once(
            ir.Route, written, lambda plain: tuple(from_plain(ir.Route, each) for each in plain)
        )

    def _once(self, kind: object, written: bytes, read: Callable[[Any], T]) -> T:
        key = kind, written
        if key not in self._known:
            self._known[key] = read(json.loads(written))
        return cast("T", self._known[key])


def _key(*names: str) -> str:
    return json.dumps(names)

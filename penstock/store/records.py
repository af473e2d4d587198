"""What is saved, as named values, and back."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from translator import ir
from translator.ir.plain import from_plain, to_plain
from translator.policy import Good, ProxyMemory
from translator.report import ResourceRef
from xds.snapshot import Resource, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator.pipeline import FileReading

__all__ = [
    "Part",
    "ProxySplitter",
    "Text",
    "encode_part",
    "encode_resource",
    "encode_text",
    "join_proxy",
    "join_snapshot",
    "read_text",
    "resources_of",
    "text_of",
    "texts_of",
]

Part: TypeAlias = ir.Cluster | ir.LoadAssignment | tuple[ir.Route, ...]
"""What changes by itself in a proxy: one cluster, one list of endpoints, one table's routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, and which resources in it were good."""

    origin: str
    text: bytes
    refs: tuple[ResourceRef, ...]


def resources_of(snapshot: Snapshot) -> Iterator[tuple[str, Resource]]:
    """Yield everything in a snapshot as it was made, which is enough to make it again."""
    for type_url in snapshot.types():
        for name, resource in snapshot.given(type_url).items():
            yield f"{type_url} {name}", resource


def encode_resource(resource: Resource) -> bytes:
    """Write one resource of a snapshot."""
    header = {"content": resource.content, "requires": sorted(resource.requires)}
    return json.dumps(header).encode() + b"\n" + resource.body


def join_snapshot(values: Iterable[tuple[str, bytes]]) -> Snapshot:
    """
    Make a snapshot from its resources.

    Raises:
        ValueError: They are no resources.
    """
    resources: list[Resource] = []
    for name, value in values:
        type_url, _, own = name.partition(" ")
        header, _, body = value.partition(b"\n")
        about = json.loads(header)
        # The hash of what was encoded in parts does not follow from the body.
        resources.append(
            Resource.of(type_url, own, body, requires=about["requires"], content=about["content"])
        )
    return Snapshot.of(resources)


def texts_of(resources: Mapping[ResourceRef, Good]) -> Iterator[tuple[str, Text]]:
    """Yield each text that good resources were read from; a place may have had several."""
    found: defaultdict[tuple[str, bytes], list[ResourceRef]] = defaultdict(list)
    for ref, good in resources.items():
        found[good.origin, good.text].append(ref)
    versions: defaultdict[str, int] = defaultdict(int)
    for (origin, text), refs in found.items():
        versions[origin] += 1
        yield f"{versions[origin]} {origin}", Text(origin=origin, text=text, refs=tuple(refs))


def encode_text(text: Text) -> bytes:
    """Write a text with its origin and its good resources."""
    refs = [[ref.kind, ref.namespace, ref.name] for ref in text.refs]
    return json.dumps([text.origin, refs]).encode() + b"\n" + text.text


def text_of(value: bytes) -> Text:
    """
    Read what `encode_text` wrote.

    Raises:
        ValueError: It is something else.
    """
    header, _, text = value.partition(b"\n")
    origin, refs = json.loads(header)
    return Text(origin=origin, text=text, refs=tuple(ResourceRef(*ref) for ref in refs))


def read_text(text: Text, reading: FileReading) -> dict[ResourceRef, Good]:
    """Find the resources in a text that were good in it, as far as they still are."""
    wanted = set(text.refs)
    found: dict[ResourceRef, Good] = {}
    for each in reading.readings:
        # Of two with one identity in one file, the first counts, and had counted.
        if each.ref in wanted:
            wanted.discard(each.ref)
            if each.resource is not None:
                found[each.ref] = Good(origin=text.origin, text=text.text, resource=each.resource)
    return found


class ProxySplitter:
    """Takes apart what is known of one proxy, again and again."""

    def __init__(self) -> None:
        self._before: ProxyMemory | None = None
        self._routes: tuple[Mapping[str, object], Mapping[str, Part]] = {}, {}

    def split(self, memory: ProxyMemory) -> tuple[bytes, dict[str, Part]]:
        """Return an outline, and parts by name."""
        proxy, before = memory.served, self._before
        if (
            before is None
            or before.served.route_configurations != proxy.route_configurations
            or before.good != memory.good
        ):
            self._routes = _split_routes(memory)
        self._before = memory  # endpoints change often, and routes need not be looked at again
        plan, routes = self._routes
        parts: dict[str, Part] = {_key("cluster", each.name): each for each in proxy.clusters}
        parts |= {_key("endpoints", each.cluster): each for each in proxy.load_assignments}
        parts |= routes
        outline = {
            "whole": memory.whole,
            "proxy": to_plain(_hollow(proxy)),
            "clusters": [each.name for each in proxy.clusters],
            "endpoints": [each.cluster for each in proxy.load_assignments],
            **plan,
        }
        return json.dumps(outline).encode(), parts


def _split_routes(memory: ProxyMemory) -> tuple[Mapping[str, object], Mapping[str, Part]]:
    """Divide routes into parts by table, and plan how to put them together."""
    parts: dict[str, Part] = {}
    runs: list[list[object]] = []
    for configuration in memory.served.route_configurations:
        for host in configuration.virtual_hosts:
            tables, order = _by_table(host.routes)
            names = [_key("routes", configuration.name, host.name, *table) for table in tables]
            parts |= zip(names, map(tuple, tables.values()), strict=True)
            runs.append([names, order])
    served = _by_identity(memory.served)
    # Nearly all good routes are served; only the others are saved by themselves.
    good = {key: routes for key, routes in memory.good.items() if served.get(key) != routes}
    parts |= {_key("good", key): routes for key, routes in good.items()}
    bad = [key for key in served if key not in memory.good]
    return {"runs": runs, "bad": bad, "good": list(good)}, parts


def encode_part(part: Part) -> bytes:
    """Write a part of a proxy."""
    return json.dumps(to_plain(part)).encode()


def join_proxy(outline: bytes, values: Mapping[str, bytes]) -> ProxyMemory:
    """
    Put together what was taken apart.

    Raises:
        ValueError: It does not fit together, or not into the IR of this version.
    """
    plan = json.loads(outline)

    def routes(key: str) -> tuple[ir.Route, ...]:
        return tuple(from_plain(ir.Route, each) for each in json.loads(values[key]))

    try:
        hollow = from_plain(ir.Proxy, plan["proxy"])
        runs = iter(plan["runs"])
        configurations = tuple(
            replace(
                configuration,
                virtual_hosts=tuple(
                    replace(host, routes=_in_order(map(routes, names), order))
                    for host, (names, order) in zip(configuration.virtual_hosts, runs, strict=False)
                ),
            )
            for configuration in hollow.route_configurations
        )
        proxy = replace(
            hollow,
            route_configurations=configurations,
            clusters=tuple(
                from_plain(ir.Cluster, json.loads(values[_key("cluster", name)]))
                for name in plan["clusters"]
            ),
            load_assignments=tuple(
                from_plain(ir.LoadAssignment, json.loads(values[_key("endpoints", name)]))
                for name in plan["endpoints"]
            ),
        )
        good = _by_identity(proxy)
        for key in plan["bad"]:
            del good[key]
        good |= {key: routes(_key("good", key)) for key in plan["good"]}
        return ProxyMemory(served=proxy, whole=plan["whole"], good=good)
    except (LookupError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _hollow(proxy: ir.Proxy) -> ir.Proxy:
    """Leave out what is saved as parts."""
    return replace(
        proxy,
        clusters=(),
        load_assignments=(),
        route_configurations=tuple(
            replace(
                configuration,
                virtual_hosts=tuple(
                    replace(host, routes=()) for host in configuration.virtual_hosts
                ),
            )
            for configuration in proxy.route_configurations
        ),
    )


_Table: TypeAlias = tuple[str, str, str]


def _by_table(
    routes: tuple[ir.Route, ...],
) -> tuple[dict[_Table, list[ir.Route]], list[tuple[int, int]]]:
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


def _in_order(
    tables: Iterable[tuple[ir.Route, ...]], order: Iterable[tuple[int, int]]
) -> tuple[ir.Route, ...]:
    rests = [iter(table) for table in tables]
    return tuple(route for number, length in order for route in islice(rests[number], length))


def _by_identity(proxy: ir.Proxy) -> dict[str, tuple[ir.Route, ...]]:
    """Group the served routes as the good ones are: nearly all of them are the same."""
    found: dict[str, tuple[ir.Route, ...]] = {}
    for configuration in proxy.route_configurations:
        for host in configuration.virtual_hosts:
            for route in host.routes:
                key = f"{host.name} {route.identity}"
                found[key] = (*found.get(key, ()), route)
    return found


def _key(*names: str) -> str:
    return json.dumps(names)

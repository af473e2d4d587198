"""
Compare our encoding with plain protobuf: a world's route table, and messages on their own.

The route table is encoded from the IR, as `emit` does, and from the same message taken apart into
plain values, which upb's own constructor puts together again. The messages on their own are 10,000
routes over two clusters each, in our classes, which come from envoy-data-plane's metadata, and in
plain ones from descriptors written out below. Those have as many fields as Envoy's messages have,
because protobuf looks at every field when it encodes. Both are the same C code underneath, so the
ratio should be about 1.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from benchmarks import worlds
from benchmarks.clocks import in_turns, spent
from benchmarks.figures import Figure
from translator import ir
from translator.emit import emit
from translator.pipeline import Inputs, translate
from xds import messages
from xds.types import ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from benchmarks.effort import Effort
    from benchmarks.worlds import World

_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"
_ROUTES = 10_000


def run(effort: Effort) -> Iterator[Figure]:
    yield from _table(effort)
    yield from _classes(effort)


def _table(effort: Effort) -> Iterator[Figure]:
    world = effort.nearest(worlds.M)
    table = route_table(world)
    body = encoded(table)
    values = plain(messages.parse(_CONFIGURATION, body))
    ours, theirs = [], []
    for _ in range(min(effort.rounds, 7)):
        # A copy, so that nothing that is remembered of a route helps.
        table = pickle.loads(pickle.dumps(table))
        ours.append(spent(lambda: encoded(table))[1] * 1000)  # noqa: B023 - called at once
        message, took = spent(lambda: messages.encode(messages.build(_CONFIGURATION, **values)))
        theirs.append(took * 1000)
        # The order of fields is free, so the same message may be other bytes.
        assert len(message) == len(body)
    yield Figure(
        theme="Encoding",
        name=f"encode the route table of {world.name}, {len(body) / 1e6:.1f} MB",
        unit="ms",
        values=tuple(ours),
        yardstick="upb building and encoding the same",
        against=tuple(theirs),
        mark=1.5 if world is worlds.M else None,
        marked="ratio",
    )


def route_table(world: World) -> ir.RouteConfiguration:
    """Return what a world's only listener routes."""
    (proxy,) = translate(Inputs(files=world.files()), None).proxies
    (table,) = proxy.route_configurations
    return table


def encoded(table: ir.RouteConfiguration) -> bytes:
    """Encode a route table from nothing."""
    proxy = ir.Proxy(
        name="p",
        listeners=(),
        route_configurations=(table,),
        clusters=(),
        load_assignments=(),
    )
    return emit(proxy).resources(ROUTE_CONFIGURATION)[table.name].body


def plain(message: Message) -> dict[str, object]:
    """Take a message apart into plain values that its class takes as they are."""
    values: dict[str, object] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            values[field.name] = value if not field.is_repeated else list(value)
        elif field.message_type.GetOptions().map_entry:
            of_messages = field.message_type.fields_by_name["value"].message_type is not None
            values[field.name] = {
                key: plain(each) if of_messages else each for key, each in value.items()
            }
        else:
            values[field.name] = (
                [plain(each) for each in value] if field.is_repeated else plain(value)
            )
    return values


def _classes(effort: Effort) -> Iterator[Figure]:
    classes = plain_classes()
    built = {"ours": build_ours(_ROUTES), "plain": build_plain(classes, _ROUTES)}
    for step, ours, theirs in (
        ("build", lambda: build_ours(_ROUTES), lambda: build_plain(classes, _ROUTES)),
        (
            "encode",
            lambda: messages.encode(built["ours"]),
            lambda: built["plain"].SerializeToString(deterministic=True),
        ),
    ):
        times = in_turns(effort.rounds, ours, theirs)
        yield Figure(
            theme="Encoding",
            name=f"{step} {_ROUTES:,} weighted routes in our classes",
            unit="ms",
            values=tuple(seconds * 1000 for seconds in times[0]),
            yardstick="in plain ones",
            against=tuple(seconds * 1000 for seconds in times[1]),
        )
    assert messages.encode(built["ours"]) == built["plain"].SerializeToString(deterministic=True)


def fields_of(number):
    """Return one route as plain values."""
    return {
        "name": f"route-{number}",
        "match": {"prefix": f"/service-{number}/"},
        "route": {
            "weighted_clusters": {
                "clusters": [
                    {"name": f"stable-{number}", "weight": {"value": 90}},
                    {"name": f"canary-{number}", "weight": {"value": 10}},
                ]
            },
            "timeout": {"seconds": 15},
        },
    }


def build_ours(count):
    routes = [
        messages.build("envoy.config.route.v3.Route", **fields_of(number))
        for number in range(count)
    ]
    return messages.build("envoy.config.route.v3.VirtualHost", name="all", routes=routes)


def build_plain(classes, count):
    route = classes["Route"]
    routes = [route(**fields_of(number)) for number in range(count)]
    return classes["VirtualHost"](name="all", routes=routes)


def plain_classes():
    """Make classes for the same messages from a descriptor written by hand."""
    field = descriptor_pb2.FieldDescriptorProto
    text, message, repeated = field.TYPE_STRING, field.TYPE_MESSAGE, field.LABEL_REPEATED
    file = descriptor_pb2.FileDescriptorProto(
        name="plain.proto",
        package="plain",
        syntax="proto3",
        dependency=["google/protobuf/duration.proto", "google/protobuf/wrappers.proto"],
    )
    for (name, size), fields in {
        ("Match", 17): [("prefix", 1, text, "", 1)],
        ("ClusterWeight", 12): [
            ("name", 1, text, "", 1),
            ("weight", 2, message, ".google.protobuf.UInt32Value", 1),
        ],
        ("WeightedClusters", 6): [("clusters", 1, message, ".plain.ClusterWeight", repeated)],
        ("RouteAction", 45): [
            ("weighted_clusters", 3, message, ".plain.WeightedClusters", 1),
            ("timeout", 8, message, ".google.protobuf.Duration", 1),
        ],
        ("Route", 20): [
            ("match", 1, message, ".plain.Match", 1),
            ("route", 2, message, ".plain.RouteAction", 1),
            ("name", 14, text, "", 1),
        ],
        ("VirtualHost", 26): [
            ("name", 1, text, "", 1),
            ("routes", 3, message, ".plain.Route", repeated),
        ],
    }.items():
        described = file.message_type.add(name=name)
        for title, number, kind, type_name, label in fields:
            described.field.add(
                name=title, number=number, type=kind, type_name=type_name or None, label=label
            )
        for number in set(range(1, size + 1)) - {number for _, number, *_ in fields}:
            described.field.add(name=f"unused_{number}", number=number, type=text, label=1)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return {
        item.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"plain.{item.name}"))
        for item in file.message_type
    }

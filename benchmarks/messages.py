"""
Compare our message classes with plain protobuf classes: 10,000 routes over two clusters each.

The classes of `xds.messages` come from envoy-data-plane's metadata, the plain ones from descriptors
written out below, with as many fields as Envoy's messages have, because protobuf looks at every
field when it encodes. Both are the same C code underneath, so the ratio should be about 1; the law
of the project is that it stays below 3. Run it with `python -m benchmarks.messages`.
"""

import statistics
import sys
import time

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from xds import messages

ROUTES = 10_000
ROUNDS = 7
LIMIT = 3.0


def main():
    classes = plain_classes()
    built = {"ours": build_ours(ROUTES), "plain": build_plain(classes, ROUTES)}
    ours = {
        "build": lambda: build_ours(ROUTES),
        "encode": lambda: messages.encode(built["ours"]),
    }
    plain = {
        "build": lambda: build_plain(classes, ROUTES),
        "encode": lambda: built["plain"].SerializeToString(deterministic=True),
    }
    assert ours["encode"]() == plain["encode"]()

    print(f"{ROUTES:,} weighted routes, median of {ROUNDS} rounds")
    print(f"{'':8}{'ours':>10}{'plain':>10}{'ratio':>8}")
    totals = [0.0, 0.0]
    for step in ("build", "encode"):
        pair = measure(ours[step], plain[step])
        totals = [total + each for total, each in zip(totals, pair, strict=True)]
        row(step, *pair)
    ratio = row("both", *totals)
    if ratio > LIMIT:
        sys.exit(f"too slow: more than {LIMIT} times plain protobuf")


def row(name, ours, plain):
    print(f"{name:8}{ours * 1000:7.1f} ms{plain * 1000:7.1f} ms{ours / plain:8.2f}")
    return ours / plain


def measure(*functions):
    """Time functions in turns, so that what else the machine does hits them alike."""
    times = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, measured in zip(functions, times, strict=True):
            began = time.perf_counter()
            function()
            measured.append(time.perf_counter() - began)
    return [statistics.median(measured) for measured in times]


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


if __name__ == "__main__":
    main()

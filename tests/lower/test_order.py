from __future__ import annotations

import pytest
from lower_world import World, delegate, route, select, table, virtual_service

ALL = '{namespaces: ["*"]}'


def order(world):
    return [route.source.route for route in world.routes]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (["prefix: /foo", "prefix: /foo/bars"], ["prefix: /foo/bar"], [1, 2, 0]),
        (
            ["prefix: /foo", "prefix: /foo/bars"],
            ["prefix: /foo/bar", "prefix: /foo/bar/baz"],
            [1, 3, 2, 0],
        ),
        (["prefix: /, methods: [GET]"], ["prefix: /foo/bar"], [0, 1]),
        (["prefix: /foo/bar"], ["prefix: /, methods: [GET]"], [1, 0]),
        (["prefix: /, methods: [GET]"], ["prefix: /, methods: [GET, POST]"], [1, 0]),
        (["prefix: /x"], ["prefix: /x, headers: [{name: stage, value: canary}]"], [0, 1]),
        (["prefix: /api"], ["regex: /.*"], [1, 0]),
        (["regex: /.*"], ["exact: /a"], [1, 0]),
        (["prefix: /z"], ["exact: /a"], [1, 0]),
        (["exact: /a"], ["exact: /b"], [1, 0]),
        (["prefix: /b}, {exact: /a"], ["prefix: /c"], [0, 1]),
        (["prefix: /b}, {prefix: /d"], ["prefix: /c"], [0, 1]),
        (["prefix: /a"], [""], [0, 1]),
    ],
)
def test_comparator(one, two, expected):
    """Routes of a group are sorted by number of methods, kind of path, and path descending."""
    matchers = [*one, *two]
    routes = [
        route(f"{{{matcher}}}" if matcher else "", name=f"r{number}")
        for number, matcher in enumerate(matchers)
    ]
    world = World(
        virtual_service(select(ALL)),
        table("t/one", *routes[: len(one)]),
        table("t/two", *routes[len(one) :]),
    )

    unique = list(dict.fromkeys(order(world)))
    assert [f"r{number}" for number in expected] == unique


def test_one_table_is_not_sorted():
    """A table that is alone in its group keeps its own order, as does a virtual service."""
    routes = (route("{prefix: /a}", name="a"), route("{prefix: /ab}", name="ab"))

    assert ["a", "ab"] == order(World(virtual_service(select(ALL)), table("t/one", *routes)))
    assert ["a", "ab"] == order(World(virtual_service(*routes)))


def test_weights():
    """Lower weights come first, negative ones too, and each group is sorted on its own."""
    world = World(
        virtual_service(select(ALL)),
        table("t/d", route("{prefix: /z}", name="late"), weight=1),
        table("t/c", route("{prefix: /b}", name="b")),
        table("t/b", route("{prefix: /c}", name="c")),
        table("t/a", route("{prefix: /a}", name="early"), weight=-1),
    )

    assert ["early", "c", "b", "late"] == order(world)


def test_nested_routes_are_sorted_with_their_group():
    """Routes of nested tables take part in the order of the outermost group."""
    labels = "{top: 'yes'}"
    world = World(
        virtual_service(select('{namespaces: ["*"], labels: {top: "yes"}}')),
        table("t/a", delegate("t/c", "{prefix: /}"), labels=labels),
        table("t/b", route("{prefix: /b}", name="b"), labels=labels),
        table("t/c", route("{prefix: /a}", name="a"), route("{prefix: /c}", name="c")),
    )

    assert ["c", "b", "a"] == order(world)


def test_equal_routes_keep_the_order_of_their_tables():
    """Tables of one group come by namespace and name, whatever the order of the files."""
    tables = [table(f"{space}/x", route("{prefix: /a}", name=space)) for space in "bca"]

    assert ["a", "b", "c"] == order(World(virtual_service(select(ALL)), *tables))

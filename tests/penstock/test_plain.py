from __future__ import annotations

import dataclasses
import types
import typing

import pytest

from translator import ir
from translator.ir import plain
from translator.ir.plain import to_plain

SOURCE = ir.Source(kind="RouteTable", namespace="echo", name="routes")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        ("text", "text"),
        ((1, "a"), [1, "a"]),
        (ir.PathKind.PREFIX, "prefix"),
        (SOURCE, {"kind": "RouteTable", "namespace": "echo", "name": "routes"}),
        (
            ir.PathMatch(kind=ir.PathKind.EXACT, value="/", case_sensitive=False),
            {"kind": "exact", "value": "/", "case_sensitive": False},
        ),
        (ir.EndpointDiscovery(), {"endpoint_discovery": {}}),
        (ir.DirectResponse(status=404), {"direct_response": {"status": 404}}),
        (
            ir.Forward(destination=ir.Destination(cluster="c", subset=(("version", "v1"),))),
            {"forward": {"destination": {"cluster": "c", "subset": {"version": "v1"}}}},
        ),
        (
            ir.Redirect(regex_rewrite=("a", "b")),
            {"redirect": {"regex_rewrite": ["a", "b"]}},
        ),
    ],
)
def test_values_become_plain_data(value, expected):
    """Fields keep their order and lose their defaults, unions get a tag, labels are a mapping."""
    assert expected == to_plain(value)


def test_every_member_of_a_union_has_a_tag():
    """A union of dataclasses in the IR would be ambiguous without a tag on each member."""
    unions = [value for value in vars(ir).values() if isinstance(value, types.UnionType)] + [
        value
        for module in (ir.actions, ir.clusters, ir.matches, ir.proxy, ir.routes)
        for value in vars(module).values()
        if isinstance(value, types.UnionType)
    ]
    members = {member for union in unions for member in typing.get_args(union)}

    assert {member for member in members if dataclasses.is_dataclass(member)} == plain._TAGGED

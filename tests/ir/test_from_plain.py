from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ir_strategies

from translator import ir
from translator.ir import plain
from translator.ir.plain import from_plain, to_plain

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARTS = [
    ir_strategies.actions,
    ir_strategies.discoveries,
    ir_strategies.routes,
    ir_strategies.listeners,
    ir_strategies.clusters,
]


@BOUNDED
@given(ir_strategies.proxies)
def test_plain_data_tells_everything(proxy):
    """What becomes plain data becomes the same again, also when JSON was in between."""
    data = to_plain(proxy)

    assert proxy == from_plain(ir.Proxy, data)
    assert proxy == from_plain(ir.Proxy, json.loads(json.dumps(data)))


@BOUNDED
@given(st.one_of(PARTS))
def test_every_part_stands_alone(part):
    """So does each part by itself, members of unions too."""
    again = from_plain(type(part), to_plain(part))

    assert part == again
    assert type(part) is type(again)


@pytest.mark.parametrize(
    "kind", [value for value in vars(ir).values() if dataclasses.is_dataclass(value)]
)
def test_every_type_can_be_read(kind):
    """Whatever joins the IR has types that plain data can tell apart."""
    readers, _ = plain._readers(kind)

    assert {field.name for field in dataclasses.fields(kind)} == readers.keys()


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (ir.Proxy, [], "expected the fields of Proxy, got []"),
        (ir.Source, {"kind": "a", "namespace": "b"}, "Source needs name"),
        (
            ir.DirectResponse,
            {"direct_response": {"stats": 1}},
            "DirectResponse has no field 'stats'",
        ),
        (ir.DirectResponse, {"status": 1}, "expected one 'direct_response', got {'status': 1}"),
        (
            ir.DirectResponse,
            {"direct_response": {"status": True}},
            "DirectResponse.status: expected int, got True",
        ),
        (ir.PathMatch, {"kind": "glob", "value": "/"}, "PathMatch.kind: 'glob' is not a valid"),
        (ir.Redirect, {"redirect": {"regex_rewrite": ["a"]}}, "expected a list of 2, got ['a']"),
        (ir.Destination, {"cluster": "a", "subset": [["a", "b"]]}, "expected labels"),
        (ir.Destination, {"cluster": "a", "subset": {"a": 1}}, "labels are text"),
        (
            ir.Cluster,
            {"name": "a", "discovery": {"dns": {}}, "source": {}},
            "Cluster.discovery: expected one of dns_hosts, endpoint_discovery, pipe, static_hosts",
        ),
        (ir.LoadAssignment, {"cluster": "a", "endpoints": {}}, "expected a list, got {}"),
        (ir.Cluster, None, "expected the fields of Cluster, got None"),
    ],
)
def test_what_does_not_fit_is_refused(kind, data, said):
    """Data from elsewhere becomes the IR as it should be or an error that tells the place."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is what is tested)
        from_plain(kind, data)

    assert said in str(caught.value)

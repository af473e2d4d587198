"""What is read of requests, and written into responses."""

import math

import pytest
from google.protobuf.message import DecodeError

from xds import messages
from xds.discovery import (
    control_plane,
    encode_delta,
    encode_sotw,
    parse_delta,
    parse_sotw,
)
from xds.exchange import Response
from xds.types import CLUSTER

PACKAGE = "envoy.service.discovery.v3"
NODE = {
    "id": "edge-1",
    "cluster": "edge",
    "metadata": messages.struct({"role": "gloo-system~edge"}),
    "user_agent_name": "envoy",
    "user_agent_build_version": {
        "version": {"major_number": 1, "minor_number": 40, "patch": 2},
    },
    "extensions": [{"name": "envoy.filters.http.router", "category": "envoy.filters.http"}],
}

both = pytest.mark.parametrize(
    ("parse", "name"), [(parse_sotw, "DiscoveryRequest"), (parse_delta, "DeltaDiscoveryRequest")]
)


def encoded(name, **fields):
    return messages.encode(messages.build(f"{PACKAGE}.{name}", **fields))


@both
def test_rules_5_and_18_node(parse, name):
    """Who a client is and its version are kept; its list of extensions is not."""
    _, node = parse(encoded(name, type_url=CLUSTER, node=NODE))

    assert ("edge-1", "edge", "envoy", "1.40.2") == (
        node.id,
        node.cluster,
        node.user_agent,
        node.version,
    )
    assert {"role": "gloo-system~edge"} == node.metadata
    assert not hasattr(node, "extensions")


@both
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_metadata_that_is_no_json(parse, name, number):
    """A number that JSON does not have makes the request invalid, and is no failure of ours."""
    node = {"id": "edge-1", "metadata": messages.struct({"load": number})}

    with pytest.raises(DecodeError, match="metadata"):
        parse(encoded(name, node=node))


@both
def test_rule_18_version_as_text(parse, name):
    """A client may tell its version as text."""
    node = {"id": "grpc", "user_agent_name": "gRPC C-core", "user_agent_version": "1.85.1"}

    _, node = parse(encoded(name, node=node))

    assert "1.85.1" == node.version


@both
def test_rule_1_no_node(parse, name):
    """Most requests have no node."""
    _, node = parse(encoded(name, type_url=CLUSTER))

    assert node is None


@both
@pytest.mark.parametrize(
    ("fields", "error"),
    [({}, None), ({"error_detail": {}}, ""), ({"error_detail": {"message": "no"}}, "no")],
)
def test_rule_23_error(parse, name, fields, error):
    """An error is one even if it has no words."""
    request, _ = parse(encoded(name, response_nonce="1", **fields))

    assert error == request.error


def test_rule_52_locators():
    """A resource locator counts as the name in it."""
    sotw, _ = parse_sotw(
        encoded("DiscoveryRequest", resource_names=["a"], resource_locators=[{"name": "b"}])
    )
    delta, _ = parse_delta(
        encoded(
            "DeltaDiscoveryRequest",
            resource_names_subscribe=["a"],
            resource_locators_subscribe=[{"name": "b"}],
            resource_locators_unsubscribe=[{"name": "c"}],
        )
    )

    assert ("a", "b") == sotw.names
    assert (("a", "b"), ("c",)) == (delta.subscribe, delta.unsubscribe)


RESPONSE = Response(type_url=CLUSTER, nonce="7", version="v", resources=(), removed=("gone",))


def test_rules_16_and_53_sotw_response():
    """A response says who serves it, and is nobody's canary."""
    message = messages.parse(
        f"{PACKAGE}.DiscoveryResponse", encode_sotw(RESPONSE, control_plane("penstock/1"))
    )

    assert (
        messages.build(
            f"{PACKAGE}.DiscoveryResponse",
            version_info="v",
            type_url=CLUSTER,
            nonce="7",
            control_plane={"identifier": "penstock/1"},
        )
        == message
    )


def test_rule_16_delta_response():
    """A response says who serves it, and what is gone."""
    message = messages.parse(
        f"{PACKAGE}.DeltaDiscoveryResponse", encode_delta(RESPONSE, control_plane("penstock/1"))
    )

    assert (
        messages.build(
            f"{PACKAGE}.DeltaDiscoveryResponse",
            system_version_info="v",
            type_url=CLUSTER,
            nonce="7",
            removed_resources=["gone"],
            control_plane={"identifier": "penstock/1"},
        )
        == message
    )

import importlib
import importlib.metadata
import itertools

import betterproto2
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from xds import messages

# Every message that is built or parsed anywhere in the project; what they contain comes along.
USED = [
    "envoy.config.cluster.v3.Cluster",
    "envoy.config.core.v3.GrpcService",
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "envoy.config.listener.v3.Listener",
    "envoy.config.route.v3.Route",
    "envoy.config.route.v3.RouteConfiguration",
    "envoy.config.route.v3.VirtualHost",
    "envoy.extensions.filters.http.router.v3.Router",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    "envoy.extensions.transport_sockets.tls.v3.Secret",
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    "envoy.service.discovery.v3.DeltaDiscoveryRequest",
    "envoy.service.discovery.v3.DeltaDiscoveryResponse",
    "envoy.service.discovery.v3.DiscoveryRequest",
    "envoy.service.discovery.v3.DiscoveryResponse",
    "envoy.service.discovery.v3.Resource",
    "envoy.service.status.v3.ClientStatusRequest",
    "envoy.service.status.v3.ClientStatusResponse",
]

DEPTH = 3  # deep enough for every kind of field, shallow enough to stay quick
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
# What Python's datetime, which the other library turns these into, can hold to the microsecond.
DATES = {
    "google.protobuf.Duration": st.fixed_dictionaries(
        {"seconds": st.integers(0, 10**9), "nanos": st.integers(0, 999_999).map(lambda n: n * 1000)}
    ),
    "google.protobuf.Timestamp": st.fixed_dictionaries(
        {"seconds": st.integers(0, 2**32), "nanos": st.integers(0, 999_999).map(lambda n: n * 1000)}
    ),
}


def values(field, depth):
    if field.message_type is not None:
        name = field.message_type.full_name
        return DATES[name] if name in DATES else fields(field.message_type, depth - 1)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.text(max_size=5)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=5)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.cpp_type in RANGES:
        return st.integers(*RANGES[field.cpp_type])
    # The other library takes -0.0 for 0.0, which is not sent.
    return st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)


def value_of(field, depth):
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        key, value = message.fields_by_name["key"], message.fields_by_name["value"]
        return st.dictionaries(values(key, 0), values(value, depth), max_size=2)
    if field.is_repeated:
        return st.lists(values(field, depth), max_size=2)
    return values(field, depth)


@st.composite
def fields(draw, descriptor, depth):
    """Draw values for a few fields of a message, at most one of each oneof."""
    usable = [f for f in descriptor.fields if depth > 0 or f.message_type is None]
    if not usable:
        return {}
    chosen = draw(st.lists(st.sampled_from(usable), max_size=4, unique_by=lambda f: f.number))
    groups = {f.containing_oneof.name if f.containing_oneof else f.name: f for f in chosen}
    return {f.name: draw(value_of(f, depth)) for f in groups.values()}


def other_class(full_name):
    """Return envoy-data-plane's own class for a message."""
    package = ".".join(itertools.takewhile(str.islower, full_name.split(".")))
    importlib.import_module(f"envoy_data_plane.{package}")
    pool = importlib.import_module("envoy_data_plane.message_pool").default_message_pool
    return pool.url_to_type[messages.type_url(full_name)]


@pytest.mark.slow
@pytest.mark.parametrize("full_name", USED)
# The same examples each time: an oddity of the other library is not the next author's fault.
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_both_libraries_agree(full_name, data):
    """What upb encodes envoy-data-plane decodes to the same message, and the other way round."""
    ours = messages.message_class(full_name)
    plain = data.draw(fields(ours.DESCRIPTOR, DEPTH))
    message = ours(**plain)

    theirs = other_class(full_name).parse(messages.encode(message))
    back = ours.FromString(bytes(theirs))

    assert message == back
    assert not betterproto_unknown(theirs)


def betterproto_unknown(message):
    """Return the bytes that envoy-data-plane could not place, at any depth."""
    found = [message._unknown_fields] if message._unknown_fields else []
    for name in message._betterproto.sorted_field_names:
        value = getattr(message, name)
        items = (
            value
            if isinstance(value, list)
            else list(value.values())
            if isinstance(value, dict)
            else [value]
        )
        for item in items:
            if isinstance(item, betterproto2.Message):
                found += betterproto_unknown(item)
    return found


@pytest.mark.slow
def test_every_message_of_the_library_can_be_described():
    """No message reachable from those we use is described wrongly enough to be refused."""
    seen = set()
    todo = list(USED)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            descriptor = messages.message_class(name).DESCRIPTOR
            todo += [f.message_type.full_name for f in descriptor.fields if f.message_type]

    assert len(seen) > 300


def test_full_names_and_field_names_are_protobufs():
    """Descriptors carry the names of the .proto files, also where Python's keywords intervene."""
    route = messages.message_class("envoy.config.route.v3.Route").DESCRIPTOR
    rules = messages.message_class("validate.StringRules").DESCRIPTOR

    assert "envoy.config.route.v3.Route" == route.full_name
    assert (
        "envoy.config.route.v3.RouteAction" == route.fields_by_name["route"].message_type.full_name
    )
    assert "in" in rules.fields_by_name


def test_presence_of_optional_scalars():
    """An optional scalar that is set to its default is not the same as one that is not set."""
    name = "envoy.config.core.v3.SocketOption"
    optional = [
        f
        for used in USED
        for f in messages.message_class(used).DESCRIPTOR.fields
        if f.has_presence and f.message_type is None and f.containing_oneof is not None
    ]

    assert optional
    assert messages.message_class(name) is messages.message_class(name)


def test_unknown_message():
    """A wrong name says so."""
    with pytest.raises(LookupError, match=r"no message is called 'envoy\.config\.nope\.v3\.Nope'"):
        messages.message_class("envoy.config.nope.v3.Nope")


def test_unknown_field():
    """A misspelt field is refused when the message is built."""
    with pytest.raises(ValueError, match='no "prefx" field'):
        messages.build("envoy.config.route.v3.RouteMatch", prefx="/")


def test_build_takes_plain_values():
    """Nested messages, maps, wrappers, durations and Anys may all be plain mappings."""
    router = messages.build("envoy.extensions.filters.http.router.v3.Router", start_child_span=True)
    route = messages.build(
        "envoy.config.route.v3.Route",
        match={"prefix": "/"},
        route={"cluster": "c", "timeout": {"seconds": 3}, "max_internal_redirects": {"value": 2}},
        typed_per_filter_config={"router": messages.pack(router)},
    )

    plain = messages.to_dict(messages.parse("envoy.config.route.v3.Route", messages.encode(route)))

    assert {
        "match": {"prefix": "/"},
        "route": {"cluster": "c", "max_internal_redirects": 2, "timeout": "3s"},
        "typed_per_filter_config": {
            "router": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                "start_child_span": True,
            }
        },
    } == plain


def test_struct_fits_everywhere():
    """A Struct made of plain values is the same in a field and in a map."""
    values = {"stage": "canary", "nested": {"list": [1.0, True, None]}}
    metadata = messages.build(
        "envoy.config.core.v3.Metadata", filter_metadata={"envoy.lb": messages.struct(values)}
    )
    node = messages.build("envoy.config.core.v3.Node", metadata=messages.struct(values))

    assert {"filter_metadata": {"envoy.lb": values}} == messages.to_dict(metadata)
    assert {"metadata": values} == messages.to_dict(node)


@settings(max_examples=50, deadline=None)
@given(st.permutations([f"key-{number}" for number in range(8)]))
def test_bytes_are_deterministic_inside_any(keys):
    """Rule 97: maps are written in one order, however they were filled in, also inside an Any."""
    expected = encoded_with_map(sorted(keys))

    assert expected == encoded_with_map(keys)


def encoded_with_map(keys):
    fields = {key: {"string_value": key} for key in keys}
    metadata = messages.build(
        "envoy.config.core.v3.Metadata", filter_metadata={key: {"fields": fields} for key in keys}
    )
    return messages.encode(
        messages.build(
            "envoy.config.core.v3.TypedExtensionConfig", typed_config=messages.pack(metadata)
        )
    )


def test_joined_parts_are_the_message():
    """A message can be joined from fields that were encoded one by one."""
    payloads = [b"", b"a", b"b" * 200, b"c" * 20_000]

    joined = b"".join(messages.field(2, messages.encode(any_of(p))) for p in payloads)

    name = "envoy.service.discovery.v3.DiscoveryResponse"
    assert messages.build(name, resources=[any_of(p) for p in payloads]) == messages.parse(
        name, joined
    )


def any_of(payload):
    return messages.build("google.protobuf.Any", type_url="t", value=payload)


@pytest.mark.parametrize("distribution", ["xds-protos", "grpcio-csds", "grpcio-admin"])
def test_no_other_top_level_xds(distribution):
    """These install a package `xds` of their own over ours."""
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version(distribution)

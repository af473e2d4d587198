import pytest

from xds.rejection import clean, culprits, reason


@pytest.mark.parametrize(
    "text",
    [
        "missing ]: [",
        "goo.gle/debugproto  missing ]: [",
        "goo.gle/debugonly missing\t]:\n [ ",
        "missing goo.gle/debugstr  ]: [",
    ],
)
def test_rule_99_texts_without_what_varies(text):
    """One mistake has one text, whatever marker and spaces protobuf puts into it."""
    assert "missing ]: [" == clean(text)


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("Error adding/updating cluster(s) a: malformed IP address: x", {"a"}),
        ("Error adding/updating cluster(s) a: no, b: no", {"a", "b"}),
        ("Error adding/updating listener(s) b: cannot bind 'c: d'", {"b"}),
        ("Error adding/updating cluster(s) ab: no", set()),
        ("Error adding/updating cluster(s) gone: no", set()),
        ("Invalid duration: Expected positive duration: a: no", set()),
        ("missing ]: [", set()),
        ("", set()),
    ],
)
def test_rule_100_who_is_blamed(text, blamed):
    """Clusters and listeners are blamed by name, and only those that were sent."""
    assert blamed == culprits(text, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error adding/updating cluster(s) a: malformed IP address: x", "malformed IP address: x"),
        ("Error adding/updating cluster(s) b: no, not, a: never, c: x", "never"),
        ("Error adding/updating cluster(s) a: b: c: d", "b: c: d"),
        ("Error adding/updating listener(s) ba: no", "Error adding/updating listener(s) ba: no"),
        ("missing ]: [", "missing ]: ["),
    ],
)
def test_rule_100_what_is_said_of_one(text, expected):
    """Of a text about several the author of one is told what concerns this one."""
    assert expected == reason(text, "a", ["a", "b", "c"])


GRPC = "xDS response validation errors: [{}]"
TYPE = "{}: INVALID_ARGUMENT: errors validating Cluster resource: [field:type error:unknown type]"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([TYPE.format("two")], {"two"}),
        ([TYPE.format("one"), TYPE.format("a?b=1")], {"one", "a?b=1"}),
        ([TYPE.format("else")], set()),
        ([TYPE.format("one"), "INVALID_ARGUMENT: can't parse"], set()),
    ],
)
def test_rule_133_grpc_names_them(entries, expected):
    """GRPC lists what it refused by place and name; with one it cannot name, nobody is blamed."""
    listed = "; ".join(f"resource index {place}: {text}" for place, text in enumerate(entries))

    assert expected == culprits(GRPC.format(listed), ["one", "two", "a?b=1"])

"""Which clients a matcher finds: the rules of Envoy's own matchers."""

import pytest

from xds import messages
from xds.discovery import Node
from xds.matchers import node_filter

NODE = Node(
    id="Edge-1",
    cluster="edge",
    metadata={
        "role": "ns~gateway",
        "canary": True,
        "weight": 3.0,
        "nothing": None,
        "where": {"zone": "a"},
        "labels": ["x", 7.0],
    },
    user_agent="envoy",
    version="1.40.0",
)


def matches(*matchers, node=NODE):
    request = messages.build("envoy.service.status.v3.ClientStatusRequest", node_matchers=matchers)
    return node_filter(request.node_matchers)(node)


def value(path, **matcher):
    keys = [{"key": key} for key in path.split(".")]
    return {"node_metadatas": [{"path": keys, "value": matcher}]}


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ({"exact": "Edge-1"}, True),
        ({"exact": "edge-1"}, False),
        ({"exact": "edge-1", "ignore_case": True}, True),
        ({"exact": ""}, False),
        ({"prefix": "Edge"}, True),
        ({"prefix": "edge"}, False),
        ({"prefix": "eDGE", "ignore_case": True}, True),
        ({"suffix": "-1"}, True),
        ({"suffix": "E-1", "ignore_case": True}, True),
        ({"suffix": "Edge"}, False),
        ({"contains": "ge-"}, True),
        ({"contains": "GE-"}, False),
        ({"contains": "GE-", "ignore_case": True}, True),
        ({"safe_regex": {"regex": r"Edge-\d"}}, True),
        ({"safe_regex": {"regex": "Edge"}}, False),  # the whole text has to match
        ({"safe_regex": {"regex": r"edge-\d"}, "ignore_case": True}, False),  # no effect
        ({"safe_regex": {"regex": r"(?i)edge-\d"}}, True),
        ({"safe_regex": {"regex": ".*", "google_re2": {"max_program_size": {"value": 99}}}}, True),
    ],
)
def test_ids(matcher, expected):
    """A StringMatcher is understood as Envoy understands it."""
    assert expected is matches({"node_id": matcher})


def test_case_is_that_of_ascii():
    """Only ASCII letters have a case, as in Envoy."""
    node = Node(id="É", cluster="", metadata={}, user_agent="", version="")

    assert not matches({"node_id": {"exact": "é", "ignore_case": True}}, node=node)


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (value("role", string_match={"suffix": "~gateway"}), True),
        (value("where.zone", string_match={"exact": "a"}), True),
        (value("where.zone.more", string_match={"exact": "a"}), False),
        (value("nobody", string_match={"prefix": "a"}), False),
        (value("weight", string_match={"exact": "3"}), False),
        (value("canary", bool_match=True), True),
        (value("canary", bool_match=False), False),
        (value("weight", bool_match=True), False),
        (value("nobody", bool_match=False), False),
        (value("weight", double_match={"exact": 3}), True),
        (value("weight", double_match={"range": {"start": 3, "end": 4}}), True),
        (value("weight", double_match={"range": {"start": 2, "end": 3}}), False),
        (value("canary", double_match={"exact": 1}), False),
        (value("nothing", null_match={}), True),
        (value("nobody", null_match={}), False),
        (value("nothing", present_match=True), True),
        (value("where", present_match=True), True),
        (value("nobody", present_match=True), False),
        (value("nobody", present_match=False), False),  # Envoy's never matches
        (value("labels", list_match={"one_of": {"string_match": {"exact": "x"}}}), True),
        (value("labels", list_match={"one_of": {"double_match": {"exact": 7}}}), True),
        (value("labels", list_match={"one_of": {"bool_match": True}}), False),
        (value("role", list_match={"one_of": {"string_match": {"prefix": "n"}}}), False),
        (
            value(
                "weight",
                or_match={"value_matchers": [{"bool_match": True}, {"double_match": {"exact": 3}}]},
            ),
            True,
        ),
        (value("weight", or_match={"value_matchers": [{"bool_match": True}]}), False),
    ],
)
def test_metadata(matcher, expected):
    """A StructMatcher looks at the value at a path; one of another kind does not match."""
    assert expected is matches(matcher)


def test_one_matcher_wants_all_and_several_any():
    """Within a matcher all has to be true, and one of the matchers; without any all are meant."""
    right, wrong = {"exact": "Edge-1"}, {"exact": "other"}
    canary = value("canary", bool_match=True)["node_metadatas"]
    stable = value("canary", bool_match=False)["node_metadatas"]

    assert matches()
    assert matches({})
    assert matches({"node_id": right, "node_metadatas": canary})
    assert not matches({"node_id": right, "node_metadatas": [*canary, *stable]})
    assert not matches({"node_id": wrong, "node_metadatas": canary})
    assert matches({"node_id": wrong}, {"node_metadatas": canary})
    assert not matches({"node_id": wrong}, {"node_metadatas": stable})


@pytest.mark.parametrize(
    ("matcher", "reason"),
    [
        ({"node_id": {}}, "node_id says nothing that is known"),
        ({"node_id": {"prefix": ""}}, "node_id.prefix is empty"),
        ({"node_id": {"suffix": ""}}, "node_id.suffix is empty"),
        ({"node_id": {"contains": ""}}, "node_id.contains is empty"),
        ({"node_id": {"custom": {"name": "x"}}}, "node_id.custom is not supported"),
        ({"node_id": {"safe_regex": {}}}, "node_id.safe_regex.regex is empty"),
        ({"node_id": {"safe_regex": {"regex": "["}}}, "missing ]: ["),
        (
            {
                "node_id": {
                    "safe_regex": {
                        "regex": "a{50}",
                        "google_re2": {"max_program_size": {"value": 9}},
                    }
                }
            },
            "program size",
        ),
        ({"node_metadatas": [{}]}, "node_metadatas[0].path must have"),
        ({"node_metadatas": [{"path": [{"key": ""}]}]}, "node_metadatas[0].path must have"),
        ({"node_metadatas": [{"path": [{"key": "a"}]}]}, "node_metadatas[0].value is missing"),
        (value("a"), "value says nothing"),
        (value("a", double_match={}), "neither a range nor an exact value"),
        (value("a", list_match={}), "list_match.one_of is missing"),
        (value("a", or_match={}), "or_match.value_matchers is empty"),
        (
            value("a", or_match={"value_matchers": [{"string_match": {}}]}),
            "value.or_match.value_matchers[0].string_match says nothing",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused(matcher, reason):
    """A matcher that says too little is a mistake with its path, never everybody or nobody."""
    with pytest.raises(ValueError, match=r"^node_matchers\[1\]\.") as caught:
        matches({}, matcher)

    assert reason in str(caught.value)

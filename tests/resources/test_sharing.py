import gc
import tracemalloc
from dataclasses import FrozenInstanceError
from typing import Annotated

import pytest
from manifests import lines, reading, readings, table
from pydantic import TypeAdapter

from translator.resources import KINDS
from translator.resources.answer import DirectResponseAction
from translator.resources.base import changed
from translator.resources.matcher import HeaderMatcher, QueryParameterMatcher
from translator.resources.sharing import shared

CANARY = """\
    - matchers: [{prefix: /%s, headers: [{name: stage, value: canary}], methods: [GET]}]
      options: {timeout: 3s}
      routeAction: {single: {upstream: {name: echo}, subset: {values: {version: v2}}}}
"""
STABLE = """\
    - matchers: [{prefix: /%s}]
      routeAction:
        multi:
          destinations:
            - {weight: 1, destination: {upstream: {name: echo}, subset: {values: {version: v2}}}}
            - {weight: 9, destination: {upstream: {name: echo}, subset: {values: {version: v1}}}}
"""


def test_what_is_written_alike_is_one_object():
    """Actions, options, conditions and destinations that are alike are kept once."""
    text = table("  routes:\n" + CANARY % "a" + CANARY % "b" + STABLE % "b")
    one, two, three = reading(text).resource.spec.routes

    assert one != two
    assert one.route_action is two.route_action
    assert one.options is two.options
    assert one.matchers[0].headers is two.matchers[0].headers
    assert one.matchers[0].methods is two.matchers[0].methods
    assert three.route_action.multi.destinations[0].destination is one.route_action.single


def test_labels_are_one_object_across_documents():
    """Pods of one version have the same labels."""
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {version: v1}}\n"
    one, two = readings(f"{pod % 'a'}---\n{pod % 'b'}")

    assert {"version": "v1"} == one.resource.labels
    assert one.resource.labels is two.resource.labels


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ("'1'", None),
        ("1", '10:46 PEN203 value: expected a string, got the integer 1 | quote it: "1"'),
        ("1.0", '10:46 PEN203 value: expected a string, got the number 1.0 | quote it: "1.0"'),
        ("true", '10:46 PEN203 value: expected a string, got the boolean true | quote it: "true"'),
        ("yes", '10:46 PEN105 value: YAML reads yes as the boolean true | quote it: "yes"'),
    ],
)
def test_only_what_is_alike_is_shared(value, finding):
    """A good value vouches for none that only looks like it, and a mistake is found each time."""
    condition = "    - matchers: [{headers: [{name: a, value: %s}]}]\n"
    good = condition % "'1'" + condition % "'1.0'" + condition % "'true'" + condition % "'yes'"
    for _ in range(2):
        found = lines(reading(table(f"  routes:\n{good}{condition % value}")))
        assert ([] if finding is None else [finding]) == found


def test_messages_of_two_kinds_are_never_mixed_up():
    """What is written alike in different fields stays what each of them is."""
    text = table(
        "  routes:\n    - matchers: [{headers: [{name: a}], queryParameters: [{name: a}]}]"
    )
    [matcher] = reading(text).resource.spec.routes[0].matchers

    assert isinstance(matcher.headers[0], HeaderMatcher)
    assert isinstance(matcher.query_parameters[0], QueryParameterMatcher)


def test_a_pool_forgets():
    """A pool holds neither any number of values nor long ones."""
    read = TypeAdapter(Annotated[tuple[str, ...], shared()]).validate_python
    first = read(["a"])

    assert read(["a"]) is first
    for number in range(1000):
        read([str(number)])
    assert read(["a"]) is not first
    assert read(["a" * 1000]) is not read(["a" * 1000])


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_small(kind):
    """No message carries a dictionary of its fields."""
    message = KINDS[kind].model

    assert not hasattr(object.__new__(message), "__dict__")


def test_messages_are_values():
    """Messages are equal by their fields, and nobody changes one that others share."""
    one, two = DirectResponseAction(status=200), DirectResponseAction(status=200, body="")

    assert one == two
    assert hash(one) == hash(two)
    assert one != changed(one, body="x")
    assert "DirectResponseAction(status=200, body='x')" == repr(changed(one, body="x"))
    with pytest.raises(FrozenInstanceError):
        one.status = 404
    with pytest.raises(FrozenInstanceError):
        del one.status


def test_a_table_takes_little_memory():
    """
    A route of 250 bytes takes no more than as much again.

    There may be a hundred thousand of them, and all stay in memory. Of the text only the bytes do.
    """
    text = table(
        "  routes:\n" + "".join(CANARY % number + STABLE % number for number in range(100))
    )
    reading(text)
    gc.collect()
    tracemalloc.start()
    try:
        kept = reading(text)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 200 == len(kept.resource.spec.routes)
    assert size / 200 < 600

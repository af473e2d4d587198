import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parsing import data, findings

from translator.parse import Surprise, key_text, parse, stream
from translator.parse.scalars import plain
from translator.parse.text import Offsets

VALID = """\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata:
  name: echo-routes
  namespace: echo
  labels: {apiGroup: example}
spec:
  weight: 1
  routes:
    - matchers: &m
        - prefix: /echo
          headers: [{name: stage, value: "canary"}]
      routeAction:
        single:
          upstream: {name: echo, namespace: gloo-system}
    - matchers: *m
      options: {timeout: 0.5s}
---
kind: List
apiVersion: v1
items:
- a: |
    text
"""

# PyYAML takes 1e3 for text and leaves the quotes off; here and in Kubernetes it is a number.
texts = st.text().filter(lambda text: not isinstance(plain(text), Surprise))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def locate_everything(value, locator, path=()):
    """Ask for the place of every value."""
    assert locator.value(*path).line >= 1
    assert locator.key(*path).column >= 1
    if isinstance(value, dict):
        for key, inner in value.items():
            locate_everything(inner, locator, (*path, key_text(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            locate_everything(inner, locator, (*path, index))


def check(text):
    """Parse, and use what came of it."""
    file = parse("f", text)
    for document in file.documents:
        locate_everything(document.data, document.locator)
    for finding in file.diagnostics:
        assert finding.message
        assert "\n" not in finding.message + finding.help


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
@example(b"\xff")
@example(b"? ? ?\n- :")
@example(b"--- |\n---\n...\n")
def test_any_bytes_are_read(text):
    """No bytes raise, and every document knows its places."""
    check(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(VALID)),
            st.integers(0, 12),
            st.text(alphabet="{}[]:,-?&*!|>'\"%@`#\t\n ~<ab1.\x00é", max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_mutated_manifests_are_read(edits):
    """No edit of a valid file raises."""
    text = VALID
    for place, length, replacement in edits:
        text = text[:place] + replacement + text[place + length :]

    check(text.encode())


def without_nulls(value):
    """Leave out what null leaves unset."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, values, min_size=1, max_size=4), st.booleans())
def test_what_pyyaml_writes_is_read_back(value, flow):
    """A mapping survives being written and read, but for its nulls and odd ways to write floats."""
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=flow)
    loaded = yaml.safe_load(text)

    def same(one, other):
        if isinstance(one, float):
            return isinstance(other, float) or "number" in getattr(other, "reading", "")
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        return one == other

    assert [] == findings(text)
    assert same(without_nulls(loaded), data(text)[0])


@pytest.mark.parametrize("text", [VALID, VALID + "---\na: [\n---\nb: 1\n", "a: 1\na: &x [*x]\n"])
def test_the_pure_parser_reads_the_same(text, monkeypatch):
    """Without libyaml everything works; only syntax errors are worded differently."""
    fast = data(text)
    monkeypatch.setattr(stream, "_Loader", yaml.SafeLoader)

    assert fast == data(text)


@given(st.lists(st.text(alphabet="aé𝄞\udcff", max_size=9)), st.lists(st.integers(0, 40)))
def test_offsets_are_those_of_the_bytes(parts, asked):
    """Wherever one asks first, a character's offset is the size of what stands before it."""
    text = "".join(parts)
    offsets = Offsets(text, 3)

    for index in asked:
        before = text[:index].encode(errors="surrogateescape")
        assert 3 + len(before) == offsets.of(min(index, len(text)))

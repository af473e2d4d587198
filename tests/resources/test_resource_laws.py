from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import manifest, readings

from translator.parse import parse
from translator.resources import KINDS, build_index, read
from translator.resources.shape import fields

words = st.sampled_from(
    [
        *sorted({name for kind in KINDS.values() for name in fields(kind.model)}),
        *("routes", "matchers", "prefix", "exact", "headers", "name", "value", "namespace"),
        *("routeAction", "single", "multi", "destinations", "upstream", "weight", "options"),
        *("delegateAction", "ref", "selector", "labels", "timeout", "cors", "x", "hosts"),
    ]
)
scalars = st.sampled_from(
    ["1", "-1", "x", "yes", "010", "1:30", "'3s'", "~", "1.5", "!foo x", "[]"]
)


@st.composite
def blocks(draw, depth=4):
    """Write a value in flow style, of fields that we know in places where they may not be."""
    if depth == 0 or draw(st.booleans()):
        return draw(scalars)
    if draw(st.booleans()):
        return "[" + ", ".join(draw(st.lists(blocks(depth - 1), max_size=3))) + "]"
    entries = draw(st.lists(st.tuples(words, blocks(depth - 1)), max_size=4))
    return "{" + ", ".join(f"{key}: {value}" for key, value in entries) + "}"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(KINDS)), blocks())
def test_any_fields_are_read(kind, spec):
    """Nothing raises; a resource is there or there are findings, all of them on distinct places."""
    text = manifest(kind, f"  {spec}", KINDS[kind].api_version)
    for found in readings(text):
        assert found.resource is not None or found.diagnostics
        said = [(finding.position, finding.code, finding.message) for finding in found.diagnostics]
        assert len(said) == len(set(said))
        build_index([found, found])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec", "x"]), blocks()))
def test_any_document_is_read(entries):
    """Nothing that is no resource raises."""
    text = "".join(f"{key}: {value}\n" for key, value in entries.items())
    for document in parse("f", text.encode()).documents:
        found = read(document, folder_namespace="echo")

        assert found.resource is None
        assert found.diagnostics

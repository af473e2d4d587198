import pytest
from manifests import lines, reading

from translator.report import ResourceRef
from translator.resources import folder_namespace


def table(metadata):
    """Write a route table with this metadata, on line 3."""
    return f"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {metadata}\nspec: {{}}\n"


@pytest.mark.parametrize(
    ("origin", "namespace"),
    [
        ("app.yaml", "gloo-system"),
        ("echo/routes.yaml", "echo"),
        ("teams/echo/routes.yaml", "echo"),
        ("./app.yaml", "gloo-system"),
    ],
)
def test_the_folder_is_the_namespace(origin, namespace):
    """The folder that directly holds the file names the namespace; at the top it is gloo-system."""
    assert namespace == folder_namespace(origin)


@pytest.mark.parametrize(
    ("metadata", "namespace"),
    [
        ("{name: a}", "echo"),
        ("{name: a, namespace: other}", "other"),
        ("{name: a, namespace: }", "echo"),
        ('{name: a, namespace: ""}', "echo"),
    ],
)
def test_metadata_wins_over_the_folder(metadata, namespace):
    """The namespace of the document itself counts, if it has one."""
    assert ResourceRef("RouteTable", namespace, "a") == reading(table(metadata)).resource.ref


@pytest.mark.parametrize(
    ("metadata", "created"),
    [
        ("{name: a}", ""),
        ("{name: a, creationTimestamp: null}", ""),
        ("{name: a, creationTimestamp: 2024-01-01T00:00:00Z}", "2024-01-01T00:00:00Z"),
        ('{name: a, creationTimestamp: "2024-01-01T00:00:00Z"}', "2024-01-01T00:00:00Z"),
    ],
)
def test_the_time_of_creation_may_be_quoted_or_not(metadata, created):
    """Kubernetes quotes the timestamp and people do not; both are text."""
    assert created == reading(table(metadata)).resource.created


def test_labels_are_read_and_the_rest_is_ignored():
    """Of the metadata only the identity and the labels matter."""
    metadata = (
        "{name: a, labels: {a: b}, annotations: {x: 1}, uid: 5, generation: 3, finalizers: []}"
    )

    assert {"a": "b"} == reading(table(metadata)).resource.labels


NAME_RULE = "use lower-case letters, digits, '-' and '.', at most 253"
NAMESPACE_RULE = "use lower-case letters, digits and '-', at most 63"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("{}", "3:1 PEN204 metadata: missing field 'name'"),
        ("", "1:1 PEN204 missing field 'metadata'"),
        ("[]", "3:11 PEN203 metadata: expected a mapping, got a list"),
        (
            "{name: 5}",
            '3:18 PEN203 name: expected a string, got the integer 5 | quote it: "5"',
        ),
        (
            "{name: on}",
            '3:18 PEN105 name: YAML reads on as the boolean true | quote it: "on"',
        ),
        ("{name: Echo}", f"3:18 PEN210 'Echo' cannot be a name | {NAME_RULE}"),
        ("{name: a_b}", f"3:18 PEN210 'a_b' cannot be a name | {NAME_RULE}"),
        ("{name: a.}", f"3:18 PEN210 'a.' cannot be a name | {NAME_RULE}"),
        ('{name: ""}', f"3:18 PEN210 '' cannot be a name | {NAME_RULE}"),
        (
            "{name: a, namespace: a.b}",
            f"3:32 PEN210 'a.b' cannot be a namespace | {NAMESPACE_RULE}",
        ),
        (
            "{name: a, labels: {v: 1.10}}",
            '3:33 PEN105 v: YAML reads 1.10 as the number 1.1 | quote it: "1.10"',
        ),
        (
            "{name: a, labels: {on: x}}",
            '3:30 PEN105 YAML reads the key on as the boolean true | quote it: "on"',
        ),
        (
            "{name: a, labels: {1: x}}",
            '3:30 PEN203 a key must be a string, got the integer 1 | quote it: "1"',
        ),
        (
            "{name: a, lables: {v: x}}",
            "3:21 PEN201 unknown field 'lables' | did you mean 'labels'?",
        ),
    ],
)
def test_mistakes_in_the_metadata(metadata, expected):
    """An identity that Kubernetes would refuse is a mistake, and so is a label that is no text."""
    found = reading(table(metadata))

    assert ([expected], None) == (lines(found), found.resource)


def test_a_folder_whose_name_is_no_namespace():
    """Where the namespace comes from the folder, the advice is to write it into the document."""
    found = reading(table("{name: a}"), "Team_A/f.yaml")

    assert [
        "3:11 PEN210 the folder's name 'Team_A' cannot be a namespace | write metadata.namespace"
    ] == lines(found)


@pytest.mark.parametrize("name", ["a", "a.b-c.d", "0", "a" * 253])
def test_names_that_kubernetes_accepts(name):
    """A name is a subdomain of RFC 1123."""
    assert [] == lines(reading(table(f"{{name: '{name}'}}")))


def test_a_document_that_breaks_off_is_broken_and_not_gone():
    """A syntax error makes a resource invalid; what is said about it is said about the resource."""
    found = reading(table("{name: a}") + "a: [\n")

    assert ["5:4 PEN102 this '[' is never closed | add a ',' or the ']', or quote the text"] == (
        lines(found)
    )
    assert ResourceRef("RouteTable", "echo", "a") == found.broken
    assert found.broken == found.diagnostics[0].resource

import pytest
from manifests import lines, reading

from translator.report import ResourceRef


def of_type(api_version, kind):
    """Write a document of a type."""
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("gateway.solo.io/v1", "VirtualService"),
        ("gateway.solo.io/v1", "RouteTable"),
        ("gateway.solo.io/v1", "Gateway"),
        ("gloo.solo.io/v1", "UpstreamGroup"),
        ("gloo.solo.io/v1", "Settings"),
        ("v1", "Service"),
        ("v1", "Endpoints"),
        ("v1", "Pod"),
        ("discovery.k8s.io/v1", "EndpointSlice"),
    ],
)
def test_kinds_that_are_read(api_version, kind):
    """Each of our kinds is read under its own apiVersion."""
    found = reading(of_type(api_version, kind))

    assert ([], ResourceRef(kind, "echo", "a")) == (lines(found), found.resource.ref)


@pytest.mark.parametrize(
    ("api_version", "kind", "expected", "broken"),
    [
        (
            "gateway.solo.io/v1",
            "RouteTabel",
            "2:7 PEN207 there is no kind 'RouteTabel' | did you mean 'RouteTable'?",
            "RouteTable",
        ),
        (
            "gloo.solo.io/v1",
            "RouteTable",
            (
                "1:13 PEN207 there is no kind 'RouteTable' in 'gloo.solo.io/v1'"
                " | write 'apiVersion: gateway.solo.io/v1'"
            ),
            "RouteTable",
        ),
        (
            "gateway.solo.io/v1beta1",
            "RouteTable",
            (
                "1:13 PEN207 there is no kind 'RouteTable' in 'gateway.solo.io/v1beta1'"
                " | write 'apiVersion: gateway.solo.io/v1'"
            ),
            "RouteTable",
        ),
        (
            "gateway.solo.oi/v1",
            "RouteTable",
            (
                "1:13 PEN207 there is no kind 'RouteTable' in 'gateway.solo.oi/v1'"
                " | write 'apiVersion: gateway.solo.io/v1'"
            ),
            "RouteTable",
        ),
        (
            "v1",
            "VirtualServise",
            (
                "2:7 PEN207 there is no kind 'VirtualServise' in 'v1'"
                " | did you mean 'VirtualService' of gateway.solo.io/v1?"
            ),
            "VirtualService",
        ),
        (
            "v1",
            "Servce",
            "2:7 PEN207 there is no kind 'Servce' | did you mean 'Service'?",
            "Service",
        ),
        (
            "apps/v1",
            "RouteTable",
            (
                "1:13 PEN207 there is no kind 'RouteTable' in 'apps/v1'"
                " | write 'apiVersion: gateway.solo.io/v1'"
            ),
            "RouteTable",
        ),
        (
            "discovery.k8s.io/v1beta1",
            "EndpointSlice",
            (
                "1:13 PEN207 there is no kind 'EndpointSlice' in 'discovery.k8s.io/v1beta1'"
                " | write 'apiVersion: discovery.k8s.io/v1'"
            ),
            "EndpointSlice",
        ),
        (
            "gloo.solo.io/v1",
            "Xyz",
            "2:7 PEN207 there is no kind 'Xyz' in 'gloo.solo.io/v1'",
            None,
        ),
        (
            "gateway.solo.io/v1",
            "RouteOption",
            "2:7 PEN211 kind 'RouteOption' of Gloo is not supported | remove it",
            None,
        ),
        (
            "gloo.solo.io/v1",
            "RouteOption",
            (
                "1:13 PEN207 there is no kind 'RouteOption' in 'gloo.solo.io/v1'"
                " | write 'apiVersion: gateway.solo.io/v1'"
            ),
            None,
        ),
        (
            "enterprise.gloo.solo.io/v1",
            "AuthConfig",
            "2:7 PEN211 kind 'AuthConfig' of Gloo is not supported | remove it",
            None,
        ),
    ],
)
def test_kinds_that_are_mistakes(api_version, kind, expected, broken):
    """A type that is nearly ours is a mistake; the resource that is meant counts as broken."""
    found = reading(of_type(api_version, kind))

    assert [expected] == lines(found)
    assert (broken and ResourceRef(broken, "echo", "a")) == found.broken


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("v1", "Namespace"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "Job"),
        ("networking.istio.io/v1", "VirtualService"),
        ("networking.istio.io/v1beta1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("serving.knative.dev/v1", "Service"),
        ("networking.k8s.io/v1", "Ingress"),
        ("example.com/v1", "Upstream"),
    ],
)
def test_foreign_kinds_are_ignored_with_a_warning(api_version, kind):
    """Kinds of others are no mistake, even under the names of ours; nothing else is checked."""
    found = reading(of_type(api_version, kind) + "data: {a: 010, a: 2}\n")

    assert [
        f"2:7 PEN208 kind '{kind}' of '{api_version}' is not used by Penstock and is ignored"
    ] == lines(found)
    assert (None, None) == (found.resource, found.broken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: 1\n",
            (
                "1:1 PEN107 this is not a resource: it has no apiVersion and no kind"
                " | move it to another folder, or begin its name with a dot"
            ),
        ),
        ("kind: RouteTable\n", "1:1 PEN204 missing field 'apiVersion'"),
        ("apiVersion: gateway.solo.io/v1\n", "1:1 PEN204 missing field 'kind'"),
        ("apiVersion: v1\nkind:\n", "1:1 PEN204 missing field 'kind'"),
        (
            "apiVersion: v1\nkind: [Pod]\n",
            "2:7 PEN203 kind: expected a string, got a list",
        ),
        (
            "apiVersion: 1\nkind: Pod\n",
            '1:13 PEN203 apiVersion: expected a string, got the integer 1 | quote it: "1"',
        ),
    ],
)
def test_documents_without_a_type(text, expected):
    """A document has to say what it is."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize("port", [-1, 0, 65536, 2**70])
def test_a_port_that_no_endpoint_has(port):
    """A port out of range breaks the slice, because nothing can be sent there."""
    found = reading(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        f"metadata: {{name: a, namespace: b}}\nports: [{{port: {port}}}]\n"
    )

    assert None is found.resource
    assert ["PEN205"] == [finding.code for finding in found.diagnostics]

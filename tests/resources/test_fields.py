import ast
import inspect
import itertools
import textwrap

import pytest
from manifests import lines, manifest, reading, table, upstream

from translator.resources import KINDS
from translator.resources.base import Model, adapter
from translator.resources.shape import as_model, element_of, fields

ROUTE = "  routes:\n    - "
"""The beginning of a route; its first key stands at 6:7."""


def route(text):
    """Write a route table with one route, given on one line from 6:7."""
    return table(ROUTE + text)


def forward(text):
    """Write a route with a route action, given on one line from 6:20."""
    return route(f"routeAction: {text}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table("  wieght: 1"), "5:3 PEN201 unknown field 'wieght' | did you mean 'weight'?"),
        (table("  xyz: 1"), "5:3 PEN201 unknown field 'xyz' | expected 'routes' or 'weight'"),
        (
            route("matchers: [{prefx: /}]"),
            "6:19 PEN201 unknown field 'prefx' | did you mean 'prefix'?",
        ),
        (
            route("route_action: {}"),
            "6:7 PEN201 unknown field 'route_action' | did you mean 'routeAction'?",
        ),
        (table("") + "spec2: {}\n", "6:1 PEN201 unknown field 'spec2' | did you mean 'spec'?"),
        (
            forward("{single: {upstream: {nam: a}}}"),
            "6:41 PEN201 unknown field 'nam' | did you mean 'name'?",
        ),
        (
            forward("{sinlge: {upstream: {name: a}}}"),
            "6:21 PEN201 unknown field 'sinlge' | did you mean 'single'?",
        ),
        (
            upstream("  static: {hosts: [{addr: a, port: 1, metdata: {}}]}"),
            "5:39 PEN201 unknown field 'metdata' | did you mean 'metadata'?",
        ),
    ],
)
def test_unknown_fields(text, expected):
    """A field that nobody knows is a mistake at its key, and the only one."""
    found = [line for line in lines(reading(text)) if "PEN204 missing field 'spec'" not in line]

    assert [expected] == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            route("options: {shadowing: {}}"),
            "6:17 PEN202 field 'shadowing' of Gloo is not supported | remove it",
        ),
        (
            route("options: {cors: false}"),
            "6:17 PEN202 field 'cors' of Gloo is not supported | remove it",
        ),
        (
            route("optionsConfigRefs: {}"),
            (
                "6:7 PEN202 field 'optionsConfigRefs' of Gloo is not supported"
                " | write the options into the route"
            ),
        ),
        (
            forward("{clusterHeader: x}"),
            "6:21 PEN202 field 'clusterHeader' of Gloo is not supported | remove it",
        ),
        (
            forward("{single: {kube: {ref: {name: a}, port: 80}}}"),
            (
                "6:30 PEN202 field 'kube' of Gloo is not supported"
                " | define an Upstream of type kube and refer to it"
            ),
        ),
        (
            upstream("  aws: {region: a}"),
            "5:3 PEN202 field 'aws' of Gloo is not supported | remove it",
        ),
        (
            manifest("Gateway", "  tcpGateway: {}"),
            "5:3 PEN202 field 'tcpGateway' of Gloo is not supported | remove it",
        ),
        (
            manifest("VirtualService", "  sslConfig: {}"),
            "5:3 PEN202 field 'sslConfig' of Gloo is not supported | remove it",
        ),
    ],
)
def test_fields_that_are_not_supported(text, expected):
    """A field of Gloo that we know says so, and nothing follows from it."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            table('  weight: "100"'),
            (
                "5:11 PEN203 weight: expected an integer, got the string '100'"
                " | write 100 without quotes"
            ),
        ),
        (table("  weight: 1.5"), "5:11 PEN203 weight: expected an integer, got the number 1.5"),
        (table("  weight: yes"), "5:11 PEN203 weight: expected an integer, got the boolean true"),
        (table("  weight: [1]"), "5:11 PEN203 weight: expected an integer, got a list"),
        (
            table("  routes: {}"),
            "5:11 PEN203 routes: expected a list, got a mapping | begin each item with '- '",
        ),
        (table("  routes:\n  - x"), "6:5 PEN203 routes[0]: expected a mapping, got the string 'x'"),
        (table("  routes:\n  -"), "6:4 PEN203 routes[0]: expected a mapping, got null"),
        (
            route("matchers: [{prefix: 1}]"),
            '6:27 PEN203 prefix: expected a string, got the integer 1 | quote it: "1"',
        ),
        (
            route("matchers: [{prefix: true}]"),
            '6:27 PEN203 prefix: expected a string, got the boolean true | quote it: "true"',
        ),
        (
            route("matchers: [{methods: GET}]"),
            (
                "6:28 PEN203 methods: expected a list, got the string 'GET'"
                " | begin each item with '- '"
            ),
        ),
        (
            route("matchers: [{methods: [GET, 1]}]"),
            '6:34 PEN203 methods[1]: expected a string, got the integer 1 | quote it: "1"',
        ),
        (
            route('matchers: [{prefix: /, caseSensitive: "true"}]'),
            (
                "6:45 PEN203 caseSensitive: expected a boolean, got the string 'true'"
                " | write true without quotes"
            ),
        ),
        (
            route("options: {timeout: 3}"),
            "6:26 PEN203 timeout: expected a duration such as '3s', got the integer 3 | write 3s",
        ),
        (
            forward("{single: {upstream: {name: a}, subset: {values: {v: 2}}}}"),
            '6:72 PEN203 v: expected a string, got the integer 2 | quote it: "2"',
        ),
        (
            forward("{single: {upstream: {name: a}, subset: {values: {2: v}}}}"),
            '6:69 PEN203 a key must be a string, got the integer 2 | quote it: "2"',
        ),
        (route("5: x"), '6:7 PEN203 a key must be a string, got the integer 5 | quote it: "5"'),
        (
            route("redirectAction: {responseCode: 301}"),
            "6:38 PEN203 responseCode: expected a string, got the integer 301",
        ),
    ],
)
def test_values_of_the_wrong_type(text, expected):
    """A value of the wrong type says what is expected and what it is."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            route("matchers: [{prefix: yes}]"),
            '6:27 PEN105 prefix: YAML reads yes as the boolean true | quote it: "yes"',
        ),
        (
            forward("{single: {upstream: {name: a}, subset: {values: {v: 1.10}}}}"),
            '6:72 PEN105 v: YAML reads 1.10 as the number 1.1 | quote it: "1.10"',
        ),
        (
            forward("{single: {upstream: {name: a}, subset: {values: {v: 2024-01-01}}}}"),
            '6:72 PEN105 v: YAML reads 2024-01-01 as a date | quote it: "2024-01-01"',
        ),
        (
            table("  weight: 010"),
            (
                "5:11 PEN105 weight: YAML reads 010 as the octal number 8"
                " | write a decimal number without leading zeros, ':' or fraction"
            ),
        ),
        (
            table("  weight: 1:30"),
            (
                "5:11 PEN105 weight: YAML reads 1:30 as the number 90 in base 60"
                " | write a decimal number without leading zeros, ':' or fraction"
            ),
        ),
        (
            route("options: {timeout: 1:30}"),
            '6:26 PEN105 timeout: YAML reads 1:30 as the number 90 in base 60 | quote it: "1:30"',
        ),
        (
            forward("{single: {upstream: {name: a}, subset: {values: {on: v}}}}"),
            '6:69 PEN105 YAML reads the key on as the boolean true | quote it: "on"',
        ),
        (route("on: x"), '6:7 PEN105 YAML reads the key on as the boolean true | quote it: "on"'),
        (
            route("redirectAction: {responseCode: on}"),
            '6:38 PEN105 responseCode: YAML reads on as the boolean true | quote it: "on"',
        ),
    ],
)
def test_values_that_yaml_reads_otherwise(text, expected):
    """Where YAML 1.1 reads something few people expect, the finding is about that."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize(
    "text",
    [
        table("  weight: 007"),
        table("  weight: 1_000"),
        table("  weight: 0x1F"),
        route("redirectAction: {httpsRedirect: yes}"),
        route("redirectAction: {httpsRedirect: Off}"),
        table("  weight: null"),
        table("  weight:"),
        route("matchers:\n      routeAction:"),
    ],
)
def test_no_surprise_where_one_thing_can_be_meant(text):
    """`yes` is a boolean where one is expected, and null is unset everywhere."""
    assert [] == lines(reading(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (forward("{single: {}}"), "6:21 PEN204 single: missing field 'upstream'"),
        (forward("{single: {upstream: {}}}"), "6:30 PEN204 upstream: missing field 'name'"),
        (
            forward("{}"),
            "6:7 PEN204 routeAction: missing field 'single', 'multi' or 'upstreamGroup'",
        ),
        (
            route("delegateAction: {namespace: a}"),
            "6:7 PEN204 delegateAction: missing field 'ref', 'selector' or 'name'",
        ),
        (route("matchers: [{headers: [{}]}]"), "6:29 PEN204 headers[0]: missing field 'name'"),
        (upstream("  {}"), "4:1 PEN204 spec: missing field 'kube', 'static' or 'pipe'"),
        (upstream("  kube: {serviceName: a}"), "5:3 PEN204 kube: missing field 'servicePort'"),
        (
            "apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: a}\n",
            "1:1 PEN204 missing field 'spec'",
        ),
    ],
)
def test_missing_fields(text, expected):
    """A missing field is a mistake of what should have it."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            manifest("Gateway", "  bindPort: 0"),
            "5:13 PEN205 bindPort: must be at least 1, got the integer 0",
        ),
        (
            manifest("Gateway", "  bindPort: 65536"),
            "5:13 PEN205 bindPort: must be at most 65535, got the integer 65536",
        ),
        (
            manifest("Gateway", '  proxyNames: [a, ""]'),
            "5:19 PEN205 proxyNames[1]: must not be empty",
        ),
        (
            table(f"  weight: {10**30}"),
            "5:11 PEN205 weight: must be at most 2147483647, got a huge integer",
        ),
        (
            route("directResponseAction: {status: 99}"),
            "6:38 PEN205 status: must be at least 200, got the integer 99",
        ),
        (
            route("redirectAction: {responseCode: FOND}"),
            "6:38 PEN205 responseCode: there is no 'FOND' | did you mean 'FOUND'?",
        ),
        (
            route("redirectAction: {responseCode: found}"),
            "6:38 PEN205 responseCode: there is no 'found' | did you mean 'FOUND'?",
        ),
        (
            upstream(
                "  kube: {serviceName: a, servicePort: 1,"
                " subsetSpec: {selectors: [{keys: [a]}], fallbackPolicy: xyz}}"
            ),
            (
                "5:97 PEN205 fallbackPolicy: there is no 'xyz'"
                " | expected 'ANY_ENDPOINT', 'DEFAULT_SUBSET' or 'NO_FALLBACK'"
            ),
        ),
        (
            upstream(
                "  kube: {serviceName: a, servicePort: 1, subsetSpec: {selectors: [{keys: []}]}}"
            ),
            "5:74 PEN205 keys: must have at least one item",
        ),
        (
            upstream(
                '  kube: {serviceName: a, servicePort: 1, subsetSpec: {selectors: [{keys: [""]}]}}'
            ),
            "5:75 PEN205 keys[0]: must not be empty",
        ),
        (
            route("options: {timeout: 3m}"),
            (
                "6:26 PEN205 timeout: expected a duration in seconds such as '3s' or '0.250s',"
                " got the string '3m'"
            ),
        ),
    ],
)
def test_values_out_of_range(text, expected):
    """A value that cannot be is a mistake at the value."""
    assert [expected] == lines(reading(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            route("matchers: [{prefix: /, exact: /}]"),
            "6:30 PEN206 'prefix' and 'exact' exclude each other | remove all but one",
        ),
        (
            route("matchers: [{exact: /, regex: /, prefix: /}]"),
            "6:39 PEN206 'exact', 'regex' and 'prefix' exclude each other | remove all but one",
        ),
        (
            route("delegateAction: {name: a}\n      routeAction: {single: {upstream: {name: a}}}"),
            "7:7 PEN206 'delegateAction' and 'routeAction' exclude each other | remove all but one",
        ),
        (
            route("delegateAction: {ref: {name: a}, name: b, namespace: c}"),
            "6:40 PEN206 'ref' and 'name' exclude each other | remove all but one",
        ),
        (
            route("delegateAction: {selector: {}, namespace: c}"),
            "6:38 PEN206 'selector' and 'namespace' exclude each other | remove all but one",
        ),
        (
            upstream("  pipe: {path: /a}\n  static: {hosts: []}"),
            "6:3 PEN206 'pipe' and 'static' exclude each other | remove all but one",
        ),
    ],
)
def test_fields_that_exclude_each_other(text, expected):
    """Of fields that exclude each other, the last in the text is to blame."""
    found = reading(text)

    assert [expected] == lines(found)
    assert found.diagnostics[0].related


def test_related_places_of_fields_that_exclude_each_other():
    """The finding on the later field tells where the earlier ones are."""
    [finding] = reading(route("matchers: [{exact: /, regex: /, prefix: /}]")).diagnostics

    assert [("'exact' is here", "6:19"), ("'regex' is here", "6:29")] == [
        (label, f"{place.line}:{place.column}") for label, place in finding.related
    ]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_text():
    """Mistakes in different places do not hide each other."""
    text = """\
  weight: 010
  wieght: 1
  routes:
    - matchers:
        - prefix: /a
          exact: /a
          prefx: /a
        - headers: [{value: on}]
      routeAction: {single: {upstream: {namespace: x}}}
      options: {timeout: 3, cors: {}}
    - routeAction: {}
      redirectAction: {responseCode: FOND}
"""

    assert [
        "5:11 PEN105",
        "6:3 PEN201",
        "10:11 PEN206",
        "11:11 PEN201",
        "12:21 PEN204",
        "12:29 PEN105",
        "13:30 PEN204",
        "14:26 PEN203",
        "14:29 PEN202",
        "15:7 PEN204",
        "16:7 PEN206",
        "16:38 PEN205",
    ] == [" ".join(line.split()[:2]) for line in lines(reading(table(text)))]


def test_findings_are_put_on_the_resource():
    """Whoever lists findings by resource finds them all."""
    found = reading(table("  weight: x\n  a: 1\n  a: 2"))

    assert {found.ref} == {finding.resource for finding in found.diagnostics}
    assert 2 == len(found.diagnostics)


def test_what_follows_from_a_flaw_of_the_text_is_not_reported():
    """A template or a tag is one mistake, not also a wrong type."""
    text = """\
  weight: {{ weight }}
  routes:
    - matchers: [{prefix: !path /}]
      routeAction: {single: {upstream: {name: *name}}}
"""

    assert [
        (
            "5:12 PEN203 a key must be text, got a mapping"
            " | quote a text that begins with '{' or '['; fill in templates before"
        ),
        "7:27 PEN109 the tag '!path' is unknown or does not fit the value | remove the tag",
        (
            "8:47 PEN102 the alias '*name' has no anchor before it in this document"
            " | quote a text that begins with '*'"
        ),
    ] == lines(reading(table(text)))


def models(model):
    """Give a message and all messages in it."""
    found = {model}
    for annotation in fields(model).values():
        inner = as_model(annotation) or as_model(element_of(annotation))
        found |= models(inner) if inner is not None else set()
    return found


ALL_MODELS = sorted(
    {inner for kind in KINDS.values() for inner in models(kind.model)},
    key=lambda model: model.__name__,
)


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.__name__)
def test_every_message_is_consistent(model):
    """No field is both supported and not, groups name known fields, and all are described."""
    known = set(fields(model))
    groups = {name for group in (*model.EXCLUSIVE, *model.REQUIRED) for name in group}

    assert issubclass(model, Model)
    assert set() == known & set(model.UNSUPPORTED)
    assert groups <= known | set(model.UNSUPPORTED)
    assert set(model.__pydantic_fields__) <= described(model)


def described(model):
    """Name the fields that have a docstring, here or where they are inherited from."""
    names = set()
    for owner in (base for base in model.__mro__ if base.__module__.startswith("translator.")):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        names |= {
            field.target.id
            for field, docstring in itertools.pairwise(definition.body)
            if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr)
        }
    return names


def test_the_models_give_a_json_schema():
    """Editors can use the models; a duration is a string there."""
    schema = adapter(KINDS["RouteTable"].model).json_schema()

    assert (
        "string"
        == schema["$defs"]["RetryPolicy"]["properties"]["perTryTimeout"]["anyOf"][0]["type"]
    )
    assert "BrokenRoute" not in schema["$defs"]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("3s", 3_000_000_000),
        ("0.250s", 250_000_000),
        ("1.000000001s", 1_000_000_001),
        ("315576000000s", 315_576_000_000_000_000_000),
    ],
)
def test_durations(text, nanoseconds):
    """Durations are protobuf's: seconds with a fraction."""
    table = reading(route(f"options: {{timeout: {text}}}")).resource

    assert nanoseconds == table.spec.routes[0].options.timeout


@pytest.mark.parametrize(
    "text", ["3", "s", ".5s", "1.s", "-1s", "1.0000000001s", "1h", "٣s", "315576000001s"]
)
def test_durations_that_are_none(text):
    """What protobuf cannot read is refused."""
    [line] = lines(reading(route(f'options: {{timeout: "{text}"}}')))

    assert line.startswith("6:26 PEN205 timeout: expected a duration in seconds")


def test_foreign_fields_of_kubernetes_are_ignored():
    """Of Kubernetes' own kinds only what is read can be a mistake."""
    text = """\
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: echo}}
spec:
  containers: [{name: a, mode: 0644, on: yes, 5: 6}]
  anything: 2024-01-01
status: {podIP: 10.0.0.1, phase: Running}
"""
    found = reading(text)

    assert [] == lines(found)
    assert ("10.0.0.1", {"app": "echo"}) == (
        found.resource.spec.status.pod_ip,
        found.resource.labels,
    )


def test_fields_of_kubernetes_that_are_read_are_checked():
    """A Service's port must be a number."""
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n"

    assert ["4:23 PEN203 port: expected an integer, got the string 'http'"] == lines(reading(text))

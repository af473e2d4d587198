"""
Every row of the table of mistakes, under every policy.

`rules/base/in` is served; then a row's `in` is written over it. The row's `out` has, for each
policy, the findings and what changes of all that Envoy gets. `make golden` writes `out` anew.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest
from golden_files import read_inputs, read_outputs

from penstock.documents import snapshot_document, write
from penstock.findings import Report, as_text
from translator.emit import emit
from translator.pipeline import Inputs, translate
from translator.report import rules

ROWS = Path(__file__).parent / "rules"
CASES = sorted(path.name for path in ROWS.iterdir() if path.name != "base")
POLICIES = {
    "hold": b"",
    "replace": b"replaceInvalidRoutes: true, ",
    "keep": b"keepLastGoodRoutes: true, ",
}
AFFECTED = {"PEN316", "PEN317"}
"""Rules for routes that suffer from another resource, which has the finding."""
NOT_WRITABLE = {
    "PEN108": "no text makes a file unreadable",
    "PEN501": "only Envoy can say it",
    "PEN901": "a bug of ours that nobody knows",
}
"""Rules that no folder of texts can break."""


def test_every_rule_has_a_row():
    """The rows cover the table of mistakes."""
    covered = {case.partition("-")[0] for case in CASES}

    assert {rule.code for rule in rules.ALL_RULES} == covered | NOT_WRITABLE.keys()


@pytest.mark.parametrize("case", CASES)
def test_row(case, request):
    """A mistake is found, and does to Envoy what its golden files say."""
    code = case.partition("-")[0]
    base, edit = read_inputs(ROWS / "base" / "in"), read_inputs(ROWS / case / "in")
    actual: dict[str, str] = {}
    for name, policy in POLICIES.items():
        before = translate(Inputs(files=under(policy, base)))
        inputs = Inputs(files=under(policy, base | edit))
        after = translate(inputs, before)
        assert before.diagnostics == ()
        assert code in {found.code for found in after.diagnostics} or code in AFFECTED
        changes = unified_diff(document(before), document(after), "before", "after", lineterm="")
        report = Report.of(after, str)
        actual[f"{name}.txt"] = "\n".join([*as_text(report, colour=False), *changes, ""])

    expected = read_outputs(ROWS / case / "out", actual, request)

    assert expected == actual


def under(policy: bytes, files: dict[str, bytes]) -> dict[str, bytes]:
    text = files["settings.yaml"]
    head = b"invalidConfigPolicy: {"
    return files | {"settings.yaml": text.replace(head, head + policy)}


def document(translation) -> list[str]:
    proxies = [snapshot_document(proxy.name, emit(proxy)) for proxy in translation.proxies]
    for proxy in proxies:
        del proxy["version"]
    return write({"proxies": proxies}, "yaml").splitlines()

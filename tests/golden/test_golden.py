"""
Whole translations, as files to read: `<case>/in` becomes `<case>/out`.

A case may begin where another ends: the file `from` names that case, and `in` holds only the files
that differ from it; an empty file deletes one. `make golden` writes `out` anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_files import read_outputs
from support.cases import golden_inputs

from penstock.documents import snapshot_document, write
from penstock.findings import Report, as_text
from translator.emit import emit
from translator.emit.proxyless import emit_proxyless, proxyless
from translator.ir.plain import to_plain
from translator.pipeline import Inputs, translate

HERE = Path(__file__).parent
CASES = sorted(path.name for path in HERE.iterdir() if (path / "in").is_dir())


@pytest.mark.parametrize("case", CASES)
def test_translation(case, request):
    """A case's inputs mean exactly what its golden files say."""
    actual = outputs(golden_inputs(case))

    expected = read_outputs(HERE / case / "out", actual, request)

    assert expected == actual


def outputs(files: dict[str, bytes]) -> dict[str, str]:
    inputs = Inputs(files=files)
    translation = translate(inputs)
    report = Report.of(translation, str)
    outputs = {"reports.txt": "\n".join(as_text(report, colour=False)) + "\n"}
    for proxy in translation.proxies:
        outputs[f"{proxy.name}.ir.yaml"] = write(to_plain(proxy), "yaml")
        outputs[f"{proxy.name}.envoy.yaml"] = write(
            snapshot_document(proxy.name, emit(proxy)), "yaml"
        )
        calls = proxyless(proxy)
        if calls.services:
            outputs[f"{proxy.name}.grpc.yaml"] = write(
                snapshot_document(proxy.name, emit_proxyless(calls)), "yaml"
            )
    return outputs

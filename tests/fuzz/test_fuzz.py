"""
Nothing that people write stops the translation, or keeps it busy.

What is mutated are our own golden inputs: pieces of one are put into another, repeated, cut, and
damaged. `make fuzz` does the same for much longer.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cases import golden_inputs
from support.envoy import ROOT
from worst import FOUND, OTHERS

from translator.emit import emit
from translator.pipeline import Inputs, translate
from translator.report import Severity

GOLDEN = ROOT / "tests" / "golden"
CASES = {
    path.parent.name: golden_inputs(path.parent.name)
    for path in sorted(GOLDEN.glob("*/in"))
    if path.is_dir()
}
PIECES = sorted(
    {
        piece
        for files in CASES.values()
        for text in files.values()
        for piece in (*re.findall(rb"[^\s{}\[\],]+", text), *text.splitlines(keepends=True))
    }
    | {path.read_bytes() for path in GOLDEN.glob("rules/*/in/**/*.yaml")}
)
"""Words, lines and whole files with mistakes."""
SYNTAX = [b"---\n", b"\n", b" ", b"\t", b": ", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<"]
SECONDS = 3
"""What 100 kB may take. It is under one second on a machine of 2024 that does nothing else."""
PROFILE = settings.get_profile("fuzz")


@st.composite
def edits(draw):
    """Make an edit of a text, by places that are fractions of its length."""
    start, length = draw(st.floats(0, 1)), draw(st.sampled_from([0, 0, 1, 5, 40, 400]))
    new = draw(st.sampled_from(PIECES) | st.sampled_from(SYNTAX) | st.binary(max_size=3))
    return start, length, new * draw(st.sampled_from([1, 1, 1, 2, 50]))


def edited(text, edit):
    start, length, new = edit
    place = int(start * len(text))
    return (text[:place] + new + text[place + length :])[:100_000]


@PROFILE
@given(data=st.data())
def test_no_input_stops_the_translation(data):
    """Whatever the bytes are, all mistakes are reported and an Envoy can be served what is left."""
    files = dict(CASES[data.draw(st.sampled_from(sorted(CASES)))])
    before = translate(Inputs(files=files))
    for _ in range(data.draw(st.integers(1, 4))):
        origin = data.draw(st.sampled_from(sorted(files)))
        for edit in data.draw(st.lists(edits(), min_size=1, max_size=4)):
            files[origin] = edited(files[origin], edit)
    inputs = Inputs(files=files)
    start = time.process_time()
    after, fresh = translate(inputs, before), translate(inputs)
    seconds = time.process_time() - start

    assert seconds < SECONDS
    for translation in (after, fresh):
        for proxy in translation.proxies:
            assert () == emit(proxy).inconsistencies()
    assert {found.position.path for found in fresh.diagnostics} <= files.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_worst_cases(name):
    """A text of 100 kB is translated in a second, whatever it asks for."""
    check_worst(FOUND[name]())


@pytest.mark.slow
@pytest.mark.skipif(PROFILE.max_examples < 1000, reason="for `make fuzz`")
@pytest.mark.parametrize("name", OTHERS)
def test_more_worst_cases(name):
    """Likewise for what never took long."""
    check_worst(OTHERS[name]())


def check_worst(text):
    start = time.process_time()
    before = translate(Inputs(files={"a.yaml": text.encode()}))
    again = translate(Inputs(files={"a.yaml": text.encode(), "b.yaml": b"# new\n"}), before)
    seconds = time.process_time() - start

    assert seconds < 2 * SECONDS
    assert before.count(Severity.ERROR) == again.count(Severity.ERROR)

"""Laws of the whole translation, from texts to bytes."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cases import golden_inputs

from translator.emit import emit
from translator.pipeline import Inputs, translate

CASES = ["every-feature", "two-phased-canary-09-label-selectors", "mistake-echo-typo"]
COMMENT = "# nobody reads this\n"

bounded = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def snapshots(files, previous=None):
    translation = translate(Inputs(files=files), previous)
    return {proxy.name: emit(proxy) for proxy in translation.proxies}


def documents(case):
    """List the documents of a case, each with the folder that gives it its namespace."""
    return [
        (origin.rpartition("/")[0], document)
        for origin, text in sorted(golden_inputs(case).items())
        for document in yaml.safe_load_all(text)
    ]


def shuffled(value, random):
    """Put the keys of all mappings into another order; lists keep theirs."""
    match value:
        case dict():
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key], random) for key in keys}
        case list():
            return [shuffled(item, random) for item in value]
        case _:
            return value


@pytest.mark.parametrize("case", CASES)
def test_nothing_new_costs_nothing(case):
    """Equal texts are not translated again, whatever objects they are."""
    files = golden_inputs(case)
    now = translate(Inputs(files=files))
    again = translate(Inputs(files={o: bytes(bytearray(t)) for o, t in files.items()}), now)

    assert now is again


@pytest.mark.parametrize("case", CASES)
@bounded
@given(random=st.randoms(use_true_random=False), data=st.data())
def test_order_changes_no_byte(case, random, data):
    """The order of files, of documents and of keys, and comments, change nothing for Envoy."""
    written = documents(case)
    random.shuffle(written)
    files: dict[str, list[str]] = {}
    for folder, document in written:
        name = data.draw(st.sampled_from(["a.yaml", "b.yml", "z.yaml"]), label="file")
        text = COMMENT + yaml.safe_dump(shuffled(document, random), sort_keys=False)
        files.setdefault(f"{folder}/{name}".lstrip("/"), []).append(text)
    origins = list(files)
    random.shuffle(origins)

    actual = snapshots({origin: "---\n".join(files[origin]).encode() for origin in origins})

    assert snapshots(golden_inputs(case)) == actual


@pytest.mark.parametrize("case", CASES)
def test_twice_is_the_same(case):
    """Two translations of the same inputs are equal, whether or not one builds on the other."""
    inputs = Inputs(files=golden_inputs(case))
    first = translate(inputs)

    second, built_on = translate(inputs), translate(Inputs(files=dict(inputs.files)), first)

    assert first.proxies == second.proxies == built_on.proxies
    assert first.diagnostics == second.diagnostics == built_on.diagnostics


@pytest.mark.parametrize("case", CASES)
def test_a_comment_changes_nothing(case):
    """An edit without a meaning moves findings, and nothing else."""
    files = golden_inputs(case)
    first = translate(Inputs(files=files))

    moved = {origin: COMMENT.encode() + text for origin, text in files.items()}
    second = translate(Inputs(files=moved), first)

    assert first.proxies == second.proxies
    assert [found.position.line + 1 for found in first.diagnostics] == [
        found.position.line for found in second.diagnostics
    ]

"""The table of rules in docs/protocol.md, which the code cites, is true as far as names go."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
STANDINGS = ("kept", "partly", "not yet", "deliberately not: ", "not applicable: ")


def rows():
    text = (ROOT / "docs" / "protocol.md").read_text()
    return {int(number): standing for number, standing in ROW.findall(text)}


def defined_in(path):
    return set(re.findall(r"^\s*(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE))


def numbers(text):
    """Return the rules that a text cites: `rule 3`, `rules 3 and 5`, `rules 3, 5 to 8`."""
    found = set()
    for cited in re.findall(r"[Rr]ules? (\d+(?:(?:,| and| to)\s+\d+)*)", text):
        for first, last in re.findall(r"(\d+)(?:\s+to\s+(\d+))?", cited):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_each_rule_has_one_row():
    """The rules are numbered without a gap, in order, and each has a standing."""
    table = rows()

    assert list(range(1, 136)) == list(table)
    assert [] == [number for number in table if not table[number].startswith(STANDINGS)]


def test_cited_tests_exist():
    """Each test that proves a rule is there, under its name."""
    missing = []
    for number, standing in rows().items():
        for file, test in re.findall(r"([\w/.]+)::(test_\w+)", standing):
            path = ROOT / file if "/" in file else ROOT / "tests" / "xds" / f"test_{file}.py"
            if not path.exists() or test not in defined_in(path):
                missing.append(f"{number}: {file}::{test}")

    assert [] == missing


def test_kept_rules_have_a_test():
    """What is kept names its test, or says that there is none."""
    kept = {number: text for number, text in rows().items() if text.startswith("kept")}

    assert [] == [
        n for n, text in kept.items() if "::" not in text and "without a test" not in text
    ]


def test_cited_rules_exist_and_are_kept():
    """The code cites no rule that it does not keep, at least in part."""
    table = rows()

    cited = {number for path in (ROOT / "xds").glob("*.py") for number in numbers(path.read_text())}

    assert len(cited) > 50
    assert [] == [n for n in sorted(cited) if not table[n].startswith(("kept", "partly"))]

from time import process_time

import pytest
from parsing import findings, parsed

from translator.parse import MAX_ALIASED_NODES, MAX_CHARACTERS, MAX_DEPTH

SIZE = 100_000

HOSTILE = {
    "flow lists": "[" * SIZE,
    "flow mappings": "{" * SIZE,
    "both": "{a: [" * (SIZE // 5),
    "block lists": "- " * (SIZE // 2),
    "complex keys": "? " * (SIZE // 2),
    "indentation": "".join(" " * depth + "a:\n" for depth in range(440)),
    "billion laughs": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 60)),
    "merges": f"a: &a {{{', '.join(f'k{i}: {i}' for i in range(5000))}}}\n"
    + "".join(f"b{i}: {{<<: *a}}\n" for i in range(3000)),
    "unknown aliases": "".join(f"a{i}: &b{i} 1\n" for i in range(3000))
    + "b: ["
    + "*c, " * (SIZE // 8)
    + "]",
    "broken documents": "--- [\n" * (SIZE // 6),
    "nul bytes": b"\x00" * SIZE,
    "documents with nul bytes": b"---\na: \x00\n" * (SIZE // 9),
    "latin-1": b"\xe9" * SIZE,
    "duplicate keys": "a: 1\n" * (SIZE // 5),
    "digits": "a: 1" + ":59" * (SIZE // 3),
    "colons": ":" * SIZE,
    "quotes": '"' * SIZE,
    "tabs": "\t" * SIZE,
    "directives": "%TAG ! x\n" * (SIZE // 9),
    "nested lists": "apiVersion: v1\nkind: List\nitems:\n"
    + "- {apiVersion: v1, kind: List, items: [1]}\n" * (SIZE // 44),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_take_little_time(text):
    """Whatever 100 kB hold, they are read in about the time that any 100 kB take."""
    start = process_time()
    parsed(text)
    elapsed = process_time() - start

    assert elapsed < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
            f"1:{3 + MAX_DEPTH} PEN106 mappings and lists are nested more than 64 deep",
        ),
        (
            f"a: &a [{'1, ' * 1000}]\nb: [{'*a, ' * (MAX_ALIASED_NODES // 1000)}]\n",
            f"2:{5 + 4 * 19} PEN106 the aliases repeat more than 20000 values",
        ),
        (
            "a: &a {" + "".join(f"k{i}: 1, " for i in range(1000)) + "}\nb:\n" + "- <<: *a\n" * 60,
            "12:7 PEN106 the aliases repeat more than 20000 values",
        ),
        ("#" * (MAX_CHARACTERS + 1), "1:1 PEN106 the file is longer than 16 MiB"),
    ],
)
def test_limits(text, expected):
    """Each limit is a finding where it is exceeded."""
    assert [f"f.yaml:{expected}"] == findings(text)


def test_what_is_within_the_limits_is_read():
    """Real files are far from the limits."""
    depth = MAX_DEPTH - 1
    nested = "a: " + "[" * depth + "]" * depth
    many = "a: [" + "1, " * 100_000 + "]\n"
    repeated = f"a: &a [{'1, ' * 999}]\nb: [{'*a, ' * 19}]\n"

    assert [] == findings(nested) + findings(many) + findings(repeated)


def test_all_documents_share_the_limit_of_aliases():
    """Many documents may not repeat more than one."""
    text = "".join(f"---\na: &a [{'1, ' * 999}]\nb: [{'*a, ' * 8}]\n" for _ in range(3))

    assert ["f.yaml:9:21 PEN106 the aliases repeat more than 20000 values"] == findings(text)
    assert [] == findings(text + "#" * 120_000)


def test_a_document_beyond_the_limits_leaves_the_others():
    """The limits hold for each document; those behind it are read."""
    file = parsed("a: 1\n---\nkind: X\nb: " + "[" * 100 + "\n---\nc: 1\n")

    assert [{"a": 1}, {"kind": "X"}, {"c": 1}] == [document.data for document in file.documents]
    assert [False, True, False] == [document.unreadable for document in file.documents]

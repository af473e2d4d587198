import pytest
from parsing import data, findings, parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: caf\xe9\n", "1:7 PEN101 the byte 0xE9 is not UTF-8"),
        (b"a: 1\n---\nb: \xf0\x9f\x98\x80\xff\n", "3:5 PEN101 the byte 0xFF is not UTF-8"),
        ("a: 1".encode("utf-16"), "1:1 PEN101 the file is UTF-16, not UTF-8"),
        ("a: \x07\n", "1:4 PEN102 the control character U+0007 is not allowed"),
        ("# \x00\na: 1\n", "1:3 PEN102 the control character U+0000 is not allowed"),
        ("a: b: c\n", "1:5 PEN102 a ':' where no key can stand"),
        ("a: 1\n  b: 2\n", "2:4 PEN102 a ':' where no key can stand"),
        ("a: 'x\nb: 1\n", "1:4 PEN102 this ' is never closed"),
        ('a: "x\n---\nb: 1\n', '1:4 PEN102 this " is never closed'),
        ("a: {{ x }}-y\n", "1:11 PEN102 text behind the end of a value"),
        ("a: 'x' y\n", "1:8 PEN102 text behind the end of a value"),
        ("a: *\n", "1:5 PEN102 '*' and '&' refer to a name, and there is none"),
        ("a: |x\n", "1:5 PEN102 text behind the '|' or '>' that begins a block of text"),
        ("a: [1, 2\nb: 1\n", "1:4 PEN102 this '[' is not closed before the next value"),
        ("a: {b: 1\n", "1:4 PEN102 this '{' is never closed"),
        ("a: [\n", "1:4 PEN102 this '[' is never closed"),
        ("a: [b,\n---\nc: 1\n", "1:4 PEN102 this '[' is never closed"),
        (
            "a:\n  b: 1\n c: 2\n",
            "3:2 PEN102 this is not a key of the mapping around it",
        ),
        ("a: 1\n- b\n", "2:1 PEN102 this is not a key of the mapping around it"),
        ("- a\nb: 1\n", "2:1 PEN102 this is not an item of the list around it"),
        ("a: 1\nb\nc: 2\n", "2:1 PEN102 this line has no ':'"),
        ("a: - b\n", "1:4 PEN102 a list item where no list can begin"),
        ("a: @b\n", "1:4 PEN102 a value cannot begin with '@'"),
        ("a: `b`\n", "1:4 PEN102 a value cannot begin with '`'"),
        ("a: ]\n", "1:4 PEN102 a value is missing here"),
        ('a: "\\q"\n', "1:5 PEN102 an escape that YAML does not know"),
        ("a: !x!y 1\n", "1:4 PEN102 a tag that is not defined"),
        ("a: *b\n", "1:4 PEN102 the alias '*b' has no anchor before it in this document"),
        ("a:\n\tb: 1\n", "2:1 PEN103 a tab where YAML wants spaces"),
        ("a:\n  b: 1\n  \tc: 1\n", "3:3 PEN103 a tab where YAML wants spaces"),
        ("a:\n- \tb: 1\n", "2:3 PEN103 a tab where YAML wants spaces"),
        ("a: 1\nb: 2\na: 3\n", "3:1 PEN104 key 'a' stands twice in this mapping"),
        ("a: {b: 1, 'b': 2}\n", "1:11 PEN104 key 'b' stands twice in this mapping"),
        ("a:\nb: 2\na: 3\n", "3:1 PEN104 key 'a' stands twice in this mapping"),
        ("a: {<<: {}, <<: {}}\n", "1:13 PEN104 key '<<' stands twice in this mapping"),
        ("5: 1\n5: 2\n", "2:1 PEN104 key '5' stands twice in this mapping"),
        ("~: 1\n~: 2\n", "2:1 PEN104 key 'null' stands twice in this mapping"),
        ("a: {on: 1, on: 2}\n", "1:12 PEN104 key 'on' stands twice in this mapping"),
        ("? [a]\n: 1\n? on\n: 2\n", "1:3 PEN203 a key must be text, got a list"),
        ("a: &x [*x]\n", "1:8 PEN106 the alias '*x' stands inside of what it repeats"),
        ("- a\n- b\n", "1:1 PEN107 this is not a resource"),
        ("just text\n", "1:1 PEN107 this is not a resource"),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", "3:9 PEN107 this is not a resource"),
        ("apiVersion: v1\nkind: List\nitems: {}\n", "3:1 PEN203 items: expected a list"),
        ("a: {{ .Values.x }}\n", "1:5 PEN203 a key must be text, got a mapping"),
        ("? [a]\n: b\n", "1:3 PEN203 a key must be text, got a list"),
        (
            "a: {<<: 1}\n",
            "1:5 PEN203 the merge key '<<' takes a mapping or a list of mappings",
        ),
        ("a: !foo 1\n", "1:4 PEN109 the tag '!foo' is unknown or does not fit the value"),
        ("a: !!int x\n", "1:4 PEN109 the tag '!!int' is unknown or does not fit the value"),
        (
            "a: !!python/object:os.system {}\n",
            "1:4 PEN109 the tag '!!python/object:os.system' is unknown or does not fit the value",
        ),
        ("a: !!set {x: }\n", "1:4 PEN109 the tag '!!set' is unknown or does not fit the value"),
    ],
)
def test_mistakes_in_the_text(text, expected):
    """Each mistake is one finding, where it has to be corrected."""
    assert [f"f.yaml:{expected}"] == findings(text)


def test_a_duplicate_key_shows_both_places():
    """The finding is on the later key and tells where the first is."""
    [flaw] = parsed("spec:\n  a: 1\n  b: 2\n  a: 3\n").documents[0].flaws
    [(label, first)] = flaw.diagnostic.related

    assert ("first here", "f.yaml:2:3", ("spec", "a")) == (label, str(first), flaw.path)


def test_an_unclosed_bracket_shows_where_it_should_end():
    """The finding is on the bracket and tells what cannot follow."""
    [finding] = parsed("a: [1, 2\nb: 1\n").diagnostics or [
        flaw.diagnostic for flaw in parsed("a: [1, 2\nb: 1\n").documents[0].flaws
    ]
    [(label, place)] = finding.related

    assert ("it should be closed before this", "f.yaml:2:2") == (label, str(place))


def test_all_mistakes_of_a_file_are_found_at_once():
    """A syntax error costs its own document; those before and behind it are read."""
    text = """\
a: 1
a: 2
---
b: 1
---
c: [1
d: 2
---
e: 1
---
f: 'x
---
g: !foo 1
"""

    assert [
        "f.yaml:2:1 PEN104 key 'a' stands twice in this mapping",
        "f.yaml:6:4 PEN102 this '[' is not closed before the next value",
        "f.yaml:11:4 PEN102 this ' is never closed",
        "f.yaml:13:4 PEN109 the tag '!foo' is unknown or does not fit the value",
    ] == findings(text)
    assert [{"a": 2}, {"b": 1}, {}, {"e": 1}, {}, {"g": "1"}] == data(text)


def test_positions_behind_a_syntax_error_are_right():
    """Documents that are read after a mistake still know their lines."""
    documents = parsed("a: 1\n---\nb: [\n---\n# c\nc:\n  d: 1\n").documents

    assert "f.yaml:7:6" == str(documents[-1].locator.value("c", "d"))


def test_what_stands_before_a_syntax_error_is_kept():
    """A document that breaks off can still be named, and is unreadable as a whole."""
    [document] = parsed("kind: X\nmetadata: {name: a}\nspec:\n  b: [\n").documents

    assert {"kind": "X", "metadata": {"name": "a"}} == document.data
    assert document.unreadable
    assert "f.yaml:2:18" == str(document.locator.value("metadata", "name"))


def test_a_bad_byte_spoils_its_document_only():
    """The document with the byte keeps its identity; the others are whole."""
    documents = parsed(b"a: 1\n---\nkind: X\nb: \xe9\xe9\n---\nc: 1\n").documents

    assert [False, True, False] == [document.unreadable for document in documents]
    assert 1 == len(documents[1].flaws)


def test_flaws_know_what_they_spoil():
    """The path of a flaw is that of the value, so that it can be blamed on the right route."""
    text = """\
spec:
  routes:
    - a: 1
    - b: {c: !foo 1}
      d: [1, {{ x }}]
      d: 2
"""
    [document] = parsed(text).documents

    assert [
        ("spec", "routes", 1, "b", "c"),
        ("spec", "routes", 1, "d", 1),
        ("spec", "routes", 1, "d"),
    ] == [flaw.path for flaw in document.flaws]

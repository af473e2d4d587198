import pytest
from parsing import data, findings, parsed

from translator.parse import Surprise, parse


def test_each_document_is_read_in_its_place():
    """Documents come in the order of the file, and know where they stand."""
    documents = parsed("a: 1\n---\n# comment\nb: 2\n...\n---\n{c: 3}\n").documents

    assert [{"a": 1}, {"b": 2}, {"c": 3}] == [document.data for document in documents]
    assert ["f.yaml:1:4", "f.yaml:4:4", "f.yaml:7:5"] == [
        str(document.locator.value(next(iter(document.data)))) for document in documents
    ]


@pytest.mark.parametrize(
    "text", ["", "\n", "# comment\n", "---\n", "---\n---\n# nothing\n", "null\n", "~", "--- null\n"]
)
def test_empty_documents_are_skipped(text):
    """A document without a value is no document and no mistake."""
    file = parsed(text)

    assert ((), ()) == (file.documents, file.diagnostics)


def test_json_is_yaml():
    """A JSON file is read like any other."""
    assert [{"a": [1, "x", {"b": True}], "c": 1.5}] == data(
        '{"a": [1, "x", {"b": true}], "c": 1.5}'
    )


def test_byte_order_mark_does_not_move_columns():
    """A UTF-8 byte order mark is skipped and not counted."""
    file = parsed(b"\xef\xbb\xbfa: 1\n")

    assert "f.yaml:1:1" == str(file.documents[0].locator.key("a"))


def test_null_means_unset():
    """A mapping holds no null, as in Kubernetes; a list does, because it cannot leave a gap."""
    assert [{"b": {}, "c": [None]}] == data("a:\nb: {x: ~, y: null}\nc: [null]\n")


def test_anchors_aliases_and_merge_keys_work():
    """What a mapping says itself wins over what it merges, and the earlier merge over the later."""
    text = """
x: &x {a: 1, b: 1}
y: &y {b: 2, c: 2}
one: {<<: *x, a: 0}
many: {<<: [*x, *y], d: 3}
unset: {<<: *x, a: ~}
quoted: {"<<": 1}
list: [*x]
"""

    assert [
        {
            "x": {"a": 1, "b": 1},
            "y": {"b": 2, "c": 2},
            "one": {"a": 0, "b": 1},
            "many": {"a": 1, "b": 1, "c": 2, "d": 3},
            "unset": {"b": 1},
            "quoted": {"<<": 1},
            "list": [{"a": 1, "b": 1}],
        }
    ] == data(text)


def test_an_anchor_may_be_set_again():
    """An alias refers to the last anchor of its name before it."""
    assert [{"a": 1, "b": 1, "c": 2, "d": 2}] == data("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int '5'", 5),
        ("!!int 0x1F", 31),
        ("!!float 1", 1.0),
        ("!!bool yes", True),
        ("!!map {}", {}),
        ("!!seq []", []),
    ],
)
def test_the_tags_of_yaml_itself_work(text, value):
    """An author may choose the type of a value."""
    assert ([{"a": value}], []) == (data(f"a: {text}\n"), findings(f"a: {text}\n"))


def test_places_behind_keys_that_are_no_text():
    """A place is found by what is written, whatever YAML reads in it."""
    locator = parsed("spec:\n  on: {5: x}\n").documents[0].locator

    assert "f.yaml:2:11" == str(locator.value("spec", "on", "5"))


def test_keys_stay_what_they_are():
    """Keys that are no text are left to whoever knows whether they matter."""
    switch = Surprise(text="on", reading="the boolean true", meant=True)

    assert [{5: "a", False: "b", switch: "c"}] == data("5: a\nfalse: b\non: c\n")


def test_a_list_is_unpacked():
    """The items of a List, and of Lists in it, are documents of their own."""
    text = """\
apiVersion: v1
kind: List
metadata: {}
items:
- a: 1
- apiVersion: v1
  kind: List
  items:
    - b: {c: 2}
- d: 3
  d: 4
"""
    documents = parsed(text).documents

    assert [{"a": 1}, {"b": {"c": 2}}, {"d": 4}] == [document.data for document in documents]
    assert "f.yaml:9:14" == str(documents[1].locator.value("b", "c"))
    assert [("d",)] == [flaw.path for flaw in documents[2].flaws]


@pytest.mark.parametrize("text", ["", "items:\n", "items: []\n"])
def test_a_list_may_be_empty(text):
    """A List without items holds nothing."""
    file = parsed("apiVersion: v1\nkind: List\n" + text)

    assert ((), ()) == (file.documents, file.diagnostics)


LOCATED = """\
metadata:
  name: "echo"   # comment
  labels: {a: b}
spec:
  routes:
    - name: one
      matchers: &m
        - prefix: /é/x
    - matchers: *m
      <<: {options: {timeout: 3s}}
  text: |
    many
    lines
  flow: {a: 1,
    b: 2}
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), "1:1+8", "1:1+8"),
        (("metadata", "name"), "2:9+6", "2:3+4"),
        (("metadata", "labels"), "3:11+6", "3:3+6"),
        (("spec", "routes"), "6:5+1", "5:3+6"),
        (("spec", "routes", 0), "6:7+4", "6:7+4"),
        (("spec", "routes", 0, "matchers", 0, "prefix"), "8:19+4", "8:11+6"),
        (("spec", "routes", 1, "matchers", 0, "prefix"), "8:19+4", "8:11+6"),
        (("spec", "routes", 1, "options", "timeout"), "10:31+2", "10:22+7"),
        (("spec", "text"), "11:9+1", "11:3+4"),
        (("spec", "flow"), "14:9+6", "14:3+4"),
        (("spec", "missing"), "5:3+6", "5:3+6"),
        (("spec", "routes", 7, "name"), "6:5+1", "6:5+1"),
        (("metadata", "name", "deeper"), "2:9+6", "2:9+6"),
    ],
)
def test_places_are_found(path, value, key):
    """A locator knows the value and the key at a path, with a width for the caret."""
    locator = parsed(LOCATED).documents[0].locator

    def place(position):
        return f"{position.line}:{position.column}+{position.width}"

    assert (value, key) == (place(locator.value(*path)), place(locator.key(*path)))


@pytest.mark.parametrize("first", ["x: é𝄞\n", "x: \udcff\n", "x: 'é \x0c'\n", "x: [\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_places_are_counted_in_characters(first, bom):
    """What stands before, of whatever bytes, moves no place behind it; the bytes are kept alone."""
    text = f"{bom}{first}---\né: {{a: 1}}\n---\nb: [é é é, c]\n".encode(errors="surrogateescape")
    _, second, third = parse("f.yaml", text).documents

    assert "f.yaml:3:8" == str(second.locator.value("é", "a"))
    assert "f.yaml:5:12" == str(third.locator.value("b", 1))
    assert second.locator.text is third.locator.text is text

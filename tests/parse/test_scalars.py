import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from translator.parse import Surprise
from translator.parse.scalars import plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-5", -5),
        ("100", 100),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("text", "text"),
        ("y", "y"),
        ("N", "N"),
        ("3s", "3s"),
        ("08", "08"),
        ("1.2.3", "1.2.3"),
        ("10.0.0.1", "10.0.0.1"),
        ("-", "-"),
        (".", "."),
        ("=", "="),
        ("tRUE", "tRUE"),
        ("9" * 500, "9" * 500),
    ],
)
def test_ordinary_scalars_are_plain_values(text, value):
    """What nobody is surprised by is read without a fuss."""
    found = plain(text)

    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize(
    ("text", "reading", "meant"),
    [
        ("yes", "the boolean true", True),
        ("Off", "the boolean false", False),
        ("ON", "the boolean true", True),
        ("010", "the octal number 8", None),
        ("-010", "the octal number -8", None),
        ("007", "the octal number 7", 7),
        ("1:30", "the number 90 in base 60", None),
        ("1:30.5", "a number in base 60", None),
        ("1_000", "the number 1000", 1000),
        ("+5", "the number 5", 5),
        ("0x1F", "the number 31", 31),
        ("0b11", "the number 3", 3),
        (".inf", "an infinite number", None),
        ("-.INF", "an infinite number", None),
        (".nan", "not a number", None),
        ("1e3", "a number", None),
        ("12e4567", "a number", None),
        (".5", "a number", None),
        ("1.10", "the number 1.1", None),
        ("2024-01-01", "a date", None),
        ("2024-01-01T10:00:00Z", "a point in time", None),
    ],
)
def test_surprises_say_what_yaml_reads(text, reading, meant):
    """A scalar that is not read as it looks says so, and what it means where that is clear."""
    assert Surprise(text, reading, meant) == plain(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789_:.+-xbeEinfaTZ yso", min_size=1, max_size=10))
def test_text_is_what_yaml_says_is_text(text):
    """Whatever PyYAML's resolver takes for text is text here too, but for numbers like 1e3."""
    resolver = yaml.resolver.Resolver()
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    is_text = tag == "tag:yaml.org,2002:str"

    if "e" not in text.lower() and "_" not in text:
        assert is_text == isinstance(plain(text), str)

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translator.lower.regexes import complaint, full_match, groups, literal_prefix, stays_below


@pytest.mark.parametrize(
    ("regex", "prefix"),
    [
        ("/a", "/a"),
        ("^/a$", "/a"),
        ("/a.*", "/a"),
        ("/ab?c", "/a"),
        ("/ab*", "/a"),
        ("/ab+", "/ab"),
        ("/ab{0,2}", "/a"),
        (r"/a\.b.", "/a.b"),
        (r"/a\d", "/a"),
        ("/a(b|c)", "/a"),
        ("/a|/ab", ""),
        ("/a[|]b", "/a"),
        ("/a[]|]|b", ""),
        ("/a[^^]|]b", ""),
        ("/a[^]|]b", "/a"),
        (r"/a\|b", "/a|b"),
        (r"/a[\]|]b", "/a"),
        (r"\Qa|b\E", ""),
        ("(?i)/a", ""),
    ],
)
def test_literal_prefix(regex, prefix):
    """The literal text that an expression begins with is found, as far as it is certain."""
    assert "" == complaint(regex)

    assert prefix == literal_prefix(regex)


pieces = st.sampled_from(
    [
        "/",
        "a",
        "b",
        ".",
        "a?",
        "b*",
        "a+",
        "(a|b)",
        "(a)?",
        "[ab|]",
        "[^a]",
        "|",
        r"\.",
        r"\|",
        "b{0,1}",
    ]
)


@given(data=st.data(), regex=st.lists(pieces, max_size=5).map("".join))
@settings(max_examples=100, deadline=None)
def test_literal_prefix_is_a_prefix(data, regex):
    """Whatever an expression matches begins with its literal prefix."""
    text = data.draw(st.from_regex(regex, fullmatch=True))

    assert text.startswith(literal_prefix(regex)) or not full_match(regex, text)


@pytest.mark.parametrize(
    ("regex", "prefix", "below"),
    [
        ("/a/.*", "/a", True),
        ("^/a/.*", "/a", True),
        ("/v1.0/.*", "/v1.0", True),
        (r"/v1\.0/.*", "/v1.0", True),
        ("/a|/b", "/a", False),
        ("/a(x|y)", "/a", True),
        ("/a?", "/a", False),
        ("/b", "/a", False),
    ],
)
def test_stays_below(regex, prefix, below):
    """An expression stays below a prefix if it begins with it and has no way around."""
    assert below == stays_below(regex, prefix)


def test_facts():
    """RE2 is asked for the rest."""
    assert "missing ): (" == complaint("(")
    assert "it is empty" == complaint("")
    assert "its program size is 404, more than 100" == complaint("/[a-z]{1,200}")
    assert 2 == groups("(a)(b)")
    assert full_match("a+", "aa")
    assert not full_match("a+", "aab")

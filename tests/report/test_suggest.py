import pytest

from translator.report import closest, did_you_mean, quote

FIELDS = ("prefix", "exact", "regex", "headers", "methods", "caseSensitive", "queryParameters")


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("prefx", FIELDS, "prefix"),
        ("Prefix", FIELDS, "prefix"),
        ("header", FIELDS, "headers"),
        ("case_sensitive", FIELDS, "caseSensitive"),
        ("queryparams", FIELDS, "queryParameters"),
        ("zzz", FIELDS, None),
        ("", FIELDS, None),
        ("x" * 1000, FIELDS, None),
        ("prefix", (), None),
        ("echo-typo", ("echo", "foxtrot"), "echo"),
        ("gloo-system/echo-typo", ("gloo-system/echo", "gloo-system/foxtrot"), "gloo-system/echo"),
        ("abcd", ("abce", "abcf"), "abce"),
        ("abcd", ("abcf", "abce"), "abce"),
        ("echo", ("echo",), None),
    ],
)
def test_the_closest_word(word, candidates, expected):
    """The most similar candidate is suggested, if any is similar."""
    assert expected == closest(word, candidates)


def test_thousands_of_names_are_searched_too():
    """A typing mistake is found among thousands of similar names."""
    names = [f"team-{number}/service-{number}" for number in range(20_000)]

    assert "team-4711/service-4711" == closest("team-4711/servce-4711", names)


def test_the_help_of_a_finding():
    """A suggestion is a question; without one there is no help."""
    assert ("did you mean 'exact'?", "") == (
        did_you_mean("exat", FIELDS),
        did_you_mean("zzz", FIELDS),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo", "'echo'"),
        ("a\nb\x00", "'a\\nb\\x00'"),
        ("é😀", "'é😀'"),
        ("x" * 100, "'" + "x" * 59 + "…'"),
    ],
)
def test_quoted_words_fit_into_a_message(text, expected):
    """Whatever somebody wrote, a message stays on one line."""
    assert expected == quote(text)

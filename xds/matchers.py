"""
Which clients a request is about: `envoy.type.matcher.v3.NodeMatcher`, as predicates.

A matcher that cannot be understood is refused with its reason, never left out: the answer to a
question that was not asked is worse than none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from xds.discovery import Node

    Found = tuple[object, ...]
    """The value at a path, or nothing: not even None, which a struct may hold."""

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
"""RE2 would write to stderr."""


def node_filter(matchers: Iterable[Any]) -> Callable[[Node], bool]:
    """
    Return the predicate of the matchers of a request: any of them, or everybody without one.

    Args:
        matchers: Messages of the type `NodeMatcher`.

    Raises:
        ValueError: A matcher is not valid, or not supported; the text says which and why.
    """
    alternatives = [
        _node(matcher, f"node_matchers[{number}]") for number, matcher in enumerate(matchers)
    ]
    return lambda node: not alternatives or any(matches(node) for matches in alternatives)


def _node(matcher: Any, path: str) -> Callable[[Node], bool]:
    """Return a predicate that demands the id and all of the metadata."""
    conditions: list[Callable[[Node], bool]] = []
    if matcher.HasField("node_id"):
        matches = _string(matcher.node_id, f"{path}.node_id")
        conditions.append(lambda node: matches(node.id))
    for number, each in enumerate(matcher.node_metadatas):
        conditions.append(_struct(each, f"{path}.node_metadatas[{number}]"))
    return lambda node: all(condition(node) for condition in conditions)


def _struct(matcher: Any, path: str) -> Callable[[Node], bool]:
    keys = [segment.key for segment in matcher.path]
    if not keys or not all(keys):
        raise ValueError(f"{path}.path must have at least one key, and none may be empty")
    if not matcher.HasField("value"):
        raise ValueError(f"{path}.value is missing")
    matches = _value(matcher.value, f"{path}.value")
    return lambda node: matches(_find(node.metadata, keys))


def _find(metadata: Mapping[str, object], keys: Iterable[str]) -> Found:
    value: Any = metadata
    for key in keys:
        if not hasattr(value, "keys") or key not in value:
            return ()
        value = value[key]
    return (value,)


def _value(matcher: Any, path: str) -> Callable[[Found], bool]:
    """Return a predicate on a value; like Envoy's, a value of another kind does not match."""
    kind = matcher.WhichOneof("match_pattern")
    match kind:
        case "null_match":
            return lambda found: found == (None,)
        case "bool_match":
            expected = matcher.bool_match
            return lambda found: found != () and found[0] is expected
        case "present_match":
            wanted = matcher.present_match
            return lambda found: wanted and found != ()
        case "string_match":
            matches = _string(matcher.string_match, f"{path}.string_match")
            return lambda found: found != () and isinstance(found[0], str) and matches(found[0])
        case "double_match":
            holds = _double(matcher.double_match, f"{path}.double_match")
            return lambda found: found != () and isinstance(found[0], float) and holds(found[0])
        case "list_match":
            return _list(matcher.list_match, f"{path}.list_match")
        case "or_match":
            if not matcher.or_match.value_matchers:
                raise ValueError(f"{path}.or_match.value_matchers is empty")
            alternatives = [
                _value(each, f"{path}.or_match.value_matchers[{number}]")
                for number, each in enumerate(matcher.or_match.value_matchers)
            ]
            return lambda found: any(matches(found) for matches in alternatives)
        case _:
            raise ValueError(f"{path} says nothing that is known of what to match")


def _list(matcher: Any, path: str) -> Callable[[Found], bool]:
    if not matcher.HasField("one_of"):
        raise ValueError(f"{path}.one_of is missing")
    matches = _value(matcher.one_of, f"{path}.one_of")
    return lambda found: (
        found != () and isinstance(found[0], list) and any(matches((item,)) for item in found[0])
    )


def _double(matcher: Any, path: str) -> Callable[[float], bool]:
    match matcher.WhichOneof("match_pattern"):
        case "exact":
            exact = matcher.exact
            return lambda value: bool(value == exact)
        case "range":
            start, end = matcher.range.start, matcher.range.end
            return lambda value: bool(start <= value < end)
        case _:
            raise ValueError(f"{path} has neither a range nor an exact value")


def _string(matcher: Any, path: str) -> Callable[[str], bool]:
    kind = matcher.WhichOneof("match_pattern")
    if kind == "safe_regex":
        return _regex(matcher.safe_regex, f"{path}.safe_regex")
    if kind == "custom":
        raise ValueError(f"{path}.custom is not supported")
    if kind is None:
        raise ValueError(f"{path} says nothing that is known of what to match")
    pattern: str = getattr(matcher, kind)
    if not pattern and kind != "exact":
        raise ValueError(f"{path}.{kind} is empty; use safe_regex to match anything")
    fold = _fold if matcher.ignore_case else _same
    wanted = fold(pattern)
    match kind:
        case "exact":
            return lambda text: fold(text) == wanted
        case "prefix":
            return lambda text: fold(text).startswith(wanted)
        case "suffix":
            return lambda text: fold(text).endswith(wanted)
        case _:
            return lambda text: wanted in fold(text)


def _fold(text: str) -> bytes:
    """Lower the case of ASCII letters, the only ones that Envoy takes for the same."""
    return text.encode().lower()


def _same(text: str) -> bytes:
    return text.encode()


def _regex(matcher: Any, path: str) -> Callable[[str], bool]:
    """Return a predicate that demands that the whole text matches; case always counts."""
    if not matcher.regex:
        raise ValueError(f"{path}.regex is empty")
    try:
        compiled = re2.compile(matcher.regex, _OPTIONS)
    except re2.error as error:
        (words,) = error.args
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise ValueError(f"{path}.regex is no regular expression of RE2: {text}") from error
    engine = matcher.google_re2
    if engine.HasField("max_program_size") and compiled.programsize > engine.max_program_size.value:
        raise ValueError(f"{path}.regex has the program size {compiled.programsize}")
    return lambda text: compiled.fullmatch(text) is not None

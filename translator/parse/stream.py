"""
From YAML events to plain values, in one walk that keeps no node.

Building from events instead of nodes keeps nesting and aliases countable while they are read, and
keeps what stands before a syntax error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from translator.parse.limits import MAX_ALIASED_NODES, MAX_DEPTH
from translator.parse.scalars import Surprise, plain
from translator.parse.trail import AWAITED, DROPPED, MERGE, Event, Frame, Mark, RawDocument, Trail
from translator.report import Rule, quote, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HAS_LIBYAML: Final[bool] = bool(yaml.__with_libyaml__)
"""Whether PyYAML has its C parser; without it everything works, and parsing is ten times slower."""

if HAS_LIBYAML:
    from yaml import CSafeLoader as _Loader
else:
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

_TAG_PREFIX: Final = "tag:yaml.org,2002:"


def events_of(text: str) -> Callable[[], Event]:
    """Give the function that gives the next event of a text, and None behind the last."""
    return _Loader(text).get_event


class StopReading(Exception):  # noqa: N818 - it ends a document and is no error of ours
    """The rest of a document is not worth reading."""

    def __init__(self, message: str, advice: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.mark = mark


@dataclass(slots=True)
class Allowance:
    """What the aliases of a file may still stand for."""

    nodes: int
    used: int = 0

    @classmethod
    def of(cls, text: str) -> Allowance:
        """Allow what a text of this length may repeat."""
        return cls(max(MAX_ALIASED_NODES, len(text) // 5))


class Stream:
    """The documents of one stream of YAML."""

    def __init__(self, origin: str, text: str, allowance: Allowance, first_line: int = 0) -> None:
        self._origin = origin
        self._first_line = first_line
        self._allowance = allowance
        self._next = events_of(text)
        self.current: RawDocument | None = None
        """The document that is being read; what to keep of it when reading fails."""
        self._trail: Trail | None = None

    def documents(self) -> Iterator[RawDocument]:
        """
        Read one document after the other.

        Raises:
            yaml.YAMLError: If the text is not YAML.
            StopReading: If a document exceeds the limits.
        """
        while (event := self._next()) is not None:
            mark: Mark = event.start_mark
            if type(event) is DocumentStartEvent:
                self.current = RawDocument(start=mark.index - mark.column, line=mark.line)
                self._trail = Trail(self._origin, self._first_line, self.current)
                _Walk(self._next, self._trail, self._allowance).read()
                yield self.current
                self.current = None

    @property
    def innermost(self) -> Mark | None:
        """Where the collection begins in which reading failed."""
        return self._trail.frames[-1].begin if self._trail and self._trail.frames else None


class _Walk:
    """The walk through one document."""

    def __init__(self, next_event: Callable[[], Event], trail: Trail, allowance: Allowance) -> None:
        self._next = next_event
        self._trail = trail
        self._spoilt: list[dict[object, object]] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        """What each anchor stands for, and how many nodes that is."""
        self._allowance = allowance

    def read(self) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot loop, where calls are dear
        """
        Read up to the end of the document.

        The state is that of the innermost collection: `items` of a sequence, or `entries`, `seen`
        and `key` of a mapping; the collections around it are frames.
        """
        next_event, trail, frames = self._next, self._trail, self._trail.frames
        root: list[object] = []
        items: list[object] | None = root
        entries: dict[object, object] = {}
        seen: dict[object, Mark] = {}
        key: object = AWAITED
        value: object
        count = 0
        try:
            while True:
                event = next_event()
                begin = event.start_mark
                kind = type(event)
                if kind is ScalarEvent:
                    count += 1
                    if event.tag is None:
                        value = plain(event.value) if event.implicit[0] else event.value
                    else:
                        value = self._tagged(event, items, key)
                    if event.anchor is not None:
                        self._anchors[event.anchor] = (value, 1)
                elif kind is MappingEndEvent or kind is SequenceEndEvent:
                    if MERGE in entries:
                        self._merge(entries, seen)
                    value = entries if items is None else items
                    items, entries, seen, key, anchor, before, begin = frames.pop()
                    if anchor is not None:
                        self._anchors[anchor] = (value, count - before)
                elif kind is MappingStartEvent or kind is SequenceStartEvent:
                    if len(frames) >= MAX_DEPTH:
                        message = f"mappings and lists are nested more than {MAX_DEPTH} deep"
                        raise StopReading(message, "nest less", begin)
                    if event.tag is not None:
                        self._check_tag(event, items, key)
                    frames.append(Frame(items, entries, seen, key, event.anchor, count, begin))
                    count += 1
                    items = [] if kind is SequenceStartEvent else None
                    entries, seen, key = {}, {}, AWAITED
                    continue
                elif kind is AliasEvent:
                    value, size = self._alias(event, items, key)
                    count += size
                else:
                    trail.document.end = event.end_mark.index
                    return
                if items is not None:
                    items.append(value)
                elif key is not AWAITED:
                    # Null means unset.
                    if value is not None:
                        entries[key] = value
                    key = AWAITED
                else:
                    if type(value) is dict or type(value) is list:
                        trail.bad_key(value, begin, event.end_mark)
                        self._spoilt.append(entries)
                        value = DROPPED
                    elif value == "<<" and kind is ScalarEvent and event.implicit[0]:
                        value = MERGE
                    if value in seen:
                        trail.duplicate(value, seen[value], event)
                    else:
                        seen[value] = begin
                    key = value
        finally:
            # The outermost mapping is worth having even when the rest cannot be read.
            trail.document.root = root[0] if root else trail.outermost(items, entries)
            for mapping in self._spoilt:
                mapping.pop(DROPPED, None)

    def _tagged(self, event: Event, items: list[object] | None, key: object) -> object:
        """Read a scalar whose type the author chose."""
        text: str = event.value
        if event.tag == "!":
            return text
        value = plain(text)
        if isinstance(value, Surprise):
            value = value.meant
        match event.tag.removeprefix(_TAG_PREFIX):
            case "str":
                return text
            case "null" if value is None:
                return None
            case "bool" if isinstance(value, bool):
                return value
            case "int" if isinstance(value, int) and not isinstance(value, bool):
                return value
            case "float" if isinstance(value, float | int) and not isinstance(value, bool):
                return float(value)
            case _:
                self._trail.bad_tag(event.tag.replace(_TAG_PREFIX, "!!"), event, items, key)
                return text

    def _check_tag(self, event: Event, items: list[object] | None, key: object) -> None:
        own = "map" if type(event) is MappingStartEvent else "seq"
        if event.tag not in {"!", _TAG_PREFIX + own}:
            self._trail.bad_tag(event.tag.replace(_TAG_PREFIX, "!!"), event, items, key)

    def _alias(self, event: Event, items: list[object] | None, key: object) -> tuple[object, int]:
        """Look up what an alias stands for, and how many nodes that is."""
        name: str = event.anchor
        if any(frame.anchor == name for frame in self._trail.frames):
            rule: Rule = rules.TOO_LARGE
            message = f"the alias {quote('*' + name)} stands inside of what it repeats"
            advice = "write the value itself"
        elif name not in self._anchors:
            rule = rules.BAD_YAML
            message = f"the alias {quote('*' + name)} has no anchor before it in this document"
            advice = "quote a text that begins with '*'"
        else:
            value, size = self._anchors[name]
            self._allowance.used += size
            if self._allowance.used > self._allowance.nodes:
                message = f"the aliases repeat more than {self._allowance.nodes} values"
                raise StopReading(message, "write the values themselves", event.start_mark)
            return value, size
        path = self._trail.path(items, key)
        self._trail.flaw(rule, path, event.start_mark, event.end_mark, message, advice)
        return None, 1

    def _merge(self, entries: dict[object, object], seen: dict[object, Mark]) -> None:
        """Copy what a merge key refers to; what the mapping says itself wins, even a null."""
        place = seen[MERGE]
        merged = entries.pop(MERGE)
        for source in merged if isinstance(merged, list) else [merged]:
            if not isinstance(source, dict):
                self._trail.flaw(
                    rules.WRONG_TYPE,
                    self._trail.path(None, AWAITED),
                    place,
                    place,
                    "the merge key '<<' takes a mapping or a list of mappings",
                    "refer to a mapping, as in '<<: *anchor'",
                )
                continue
            for key, value in source.items():
                if key not in seen:
                    entries.setdefault(key, value)

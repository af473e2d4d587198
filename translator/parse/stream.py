"""
From YAML events to plain values, in one walk that keeps no node.

Building from events instead of nodes keeps nesting and aliases countable while they are read, and
keeps what stands before a syntax error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from translator.parse.document import Flaw, Path
from translator.parse.limits import MAX_ALIASED_NODES, MAX_DEPTH, MAX_MERGED_ENTRIES
from translator.parse.scalars import Surprise, key_text, plain
from translator.report import Diagnostic, Position, Rule, did_you_mean, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from yaml.events import Event

try:
    from yaml.cyaml import CParser as _Parser
except ImportError:  # PyYAML was built without libyaml
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class _Parser(Reader, Scanner, Parser):  # type: ignore[no-redef]
        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)


HAS_LIBYAML: Final[bool] = bool(yaml.__with_libyaml__)
"""Whether PyYAML has its C parser; without it everything works and parsing is six times slower."""

_AWAITED: Final = object()
_MERGE: Final = object()
_DROPPED: Final = object()
_TAG_PREFIX: Final = "tag:yaml.org,2002:"


class StopReading(Exception):  # noqa: N818 - it ends a stream and is no error of ours
    """The rest of a document is not worth reading."""

    def __init__(self, rule: Rule, message: str, advice: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.advice = advice
        self.mark = mark


@dataclass(slots=True, kw_only=True)
class RawDocument:
    """A document as it was read, so far."""

    root: object = None
    """Its value, or the part of it that stands before an error."""
    flaws: list[Flaw] = field(default_factory=list)
    """What is wrong with it."""
    start: int
    """Where its text begins, in characters from the start of the stream."""
    end: int = -1
    """Where its text ends; negative until it has been read to its end."""
    line: int
    """The line of the stream on which it begins, from 0."""


class _Frame(NamedTuple):
    """The state of a collection while one inside it is read."""

    items: list[object] | None
    entries: dict[object, object]
    seen: dict[object, yaml.Mark]
    key: object
    anchor: str | None
    """The anchor of the collection inside."""
    count: int
    """How many nodes were read before the collection inside."""
    begin: yaml.Mark
    """Where the collection inside begins."""


class Stream:
    """The documents of one stream of YAML."""

    def __init__(self, origin: str, text: str, first_line: int = 0) -> None:
        self._origin = origin
        self._first_line = first_line
        self._next: Callable[[], Event | None] = _Parser(text).get_event
        self._stack: list[_Frame] = []
        self._spoilt: list[dict[object, object]] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._aliased = 0
        self._merged = 0
        self.current: RawDocument | None = None
        """The document that is being read; what to keep of it when reading fails."""

    def documents(self) -> Iterator[RawDocument]:
        """
        Read one document after the other.

        Raises:
            yaml.YAMLError: If the text is not YAML.
            StopReading: If the text exceeds the limits.
        """
        while (event := self._next()) is not None:
            if type(event) is DocumentStartEvent:
                mark = event.start_mark
                self.current = RawDocument(start=mark.index - mark.column, line=mark.line)
                self._stack, self._spoilt, self._anchors = [], [], {}
                self._aliased = self._merged = 0
                self._read(self.current)
                yield self.current
                self.current = None

    def _read(self, document: RawDocument) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot loop
        """
        Read up to the end of the document.

        The state is that of the innermost collection: `items` of a sequence, or `entries`, `seen`
        and `key` of a mapping; those around it are on the stack. The document itself is the
        outermost, a sequence of one.
        """
        next_event, stack = self._next, self._stack
        items: list[object] | None = []
        entries: dict[object, object] = {}
        seen: dict[object, yaml.Mark] = {}
        key: object = _AWAITED
        begin: yaml.Mark | None = None
        count = 0
        root = items
        try:
            while True:
                event = next_event()
                kind = type(event)
                value: object
                if kind is ScalarEvent:
                    count += 1
                    if event.tag is None:
                        value = plain(event.value) if event.implicit[0] else event.value
                    else:
                        value = self._tagged(event, items, key)
                    if event.anchor is not None:
                        self._anchors[event.anchor] = (value, 1)
                elif kind is MappingEndEvent or kind is SequenceEndEvent:
                    if kind is SequenceEndEvent:
                        value = items
                    else:
                        value = entries
                        if _MERGE in entries:
                            self._merge(entries, seen)
                    items, entries, seen, key, anchor, before, begin = stack.pop()
                    if anchor is not None:
                        self._anchors[anchor] = (value, count - before)
                elif kind is MappingStartEvent or kind is SequenceStartEvent:
                    if len(stack) >= MAX_DEPTH:
                        raise _too_deep(event)
                    if event.tag is not None:
                        self._collection_tag(event, items, key)
                    stack.append(
                        _Frame(items, entries, seen, key, event.anchor, count, event.start_mark)
                    )
                    count += 1
                    if kind is SequenceStartEvent:
                        items = []
                    else:
                        items, entries, seen, key = None, {}, {}, _AWAITED
                    continue
                elif kind is AliasEvent:
                    value, size = self._alias(event, items, key)
                    count += size
                else:
                    document.end = event.end_mark.index
                    return
                if items is not None:
                    items.append(value)
                elif key is not _AWAITED:
                    if value is not None:
                        entries[key] = value
                    key = _AWAITED
                else:
                    if type(value) is not str:
                        value = self._strange_key(value, event, begin, entries)
                    elif value == "<<" and kind is ScalarEvent and event.implicit[0]:
                        value = _MERGE
                    if value in seen:
                        self._duplicate(value, seen[value], event)
                    else:
                        seen[value] = event.start_mark
                    key = value
        finally:
            # The outermost mapping is worth having even when the rest cannot be read.
            document.root = root[0] if root else self._outermost(items, entries)
            for mapping in self._spoilt:
                mapping.pop(_DROPPED, None)

    def _outermost(
        self, items: list[object] | None, entries: dict[object, object]
    ) -> dict[object, object] | None:
        match self._stack:
            case []:
                return None
            case [_]:
                return entries if items is None else None
            case [_, outer, *_]:
                return outer.entries if outer.items is None else None

    def _path(self, items: list[object] | None, key: object) -> Path:
        """Say where the walk is: the value that comes next, or the mapping whose key comes next."""
        if not self._stack:
            return ()
        around = [(frame.items, frame.key) for frame in self._stack[1:]]
        return tuple(
            key_text(key) if items is None else len(items)
            for items, key in (*around, (items, key))
            if items is not None or key is not _AWAITED
        )

    def _flaw(
        self,
        rule: Rule,
        path: Path,
        position: Position,
        message: str,
        advice: str = "",
        related: tuple[tuple[str, Position], ...] = (),
    ) -> None:
        assert self.current is not None  # noqa: S101 - flaws are found while a document is read
        diagnostic = Diagnostic(
            rule=rule,
            resource=None,
            position=position,
            message=message,
            help=advice,
            related=related,
        )
        self.current.flaws.append(Flaw(path=path, diagnostic=diagnostic))

    def _position(self, mark: yaml.Mark, end: yaml.Mark | None = None) -> Position:
        width = end.column - mark.column if end is not None and end.line == mark.line else 1
        return Position(
            path=self._origin,
            line=self._first_line + mark.line + 1,
            column=mark.column + 1,
            width=max(1, width),
        )

    def _duplicate(self, key: object, first: yaml.Mark, event: Event) -> None:
        if key is _DROPPED:
            return
        name = "<<" if key is _MERGE else key_text(key)
        self._flaw(
            rules.DUPLICATE_KEY,
            (*self._path(None, _AWAITED), name),
            self._position(event.start_mark, event.end_mark),
            f"key '{name}' stands twice in this mapping",
            "remove one of the two",
            (("first here", self._position(first)),),
        )

    def _strange_key(
        self,
        value: object,
        event: Event,
        begin: yaml.Mark | None,
        entries: dict[object, object],
    ) -> object:
        """Accept any scalar: only who knows the kind can say whether it matters."""
        if not isinstance(value, dict | list):
            return value
        mark = begin if isinstance(event, MappingEndEvent | SequenceEndEvent) else None
        self._flaw(
            rules.WRONG_TYPE,
            self._path(None, _AWAITED),
            self._position(mark or event.start_mark, event.end_mark),
            f"a key must be text, got a {'mapping' if isinstance(value, dict) else 'list'}",
            "quote what begins with '{' or '['; templates must be filled in before",
        )
        self._spoilt.append(entries)
        return _DROPPED

    def _tagged(self, event: ScalarEvent, items: list[object] | None, key: object) -> object:
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
                self._bad_tag(event, items, key)
                return text

    def _collection_tag(
        self, event: CollectionStartEvent, items: list[object] | None, key: object
    ) -> None:
        own = "map" if isinstance(event, MappingStartEvent) else "seq"
        if event.tag not in {"!", _TAG_PREFIX + own}:
            self._bad_tag(event, items, key)

    def _bad_tag(
        self, event: ScalarEvent | CollectionStartEvent, items: list[object] | None, key: object
    ) -> None:
        tag = event.tag.replace(_TAG_PREFIX, "!!")
        self._flaw(
            rules.TAG,
            self._path(items, key),
            self._position(event.start_mark, event.end_mark),
            f"the tag '{tag}' does not fit or does not exist here",
            "remove the tag and write the value itself",
        )

    def _alias(
        self, event: AliasEvent, items: list[object] | None, key: object
    ) -> tuple[object, int]:
        name = event.anchor
        if any(frame.anchor == name for frame in self._stack):
            self._flaw(
                rules.TOO_LARGE,
                self._path(items, key),
                self._position(event.start_mark, event.end_mark),
                f"the alias '*{name}' stands inside of what it repeats",
                "write the value itself",
            )
            return None, 1
        if name not in self._anchors:
            self._flaw(
                rules.BAD_YAML,
                self._path(items, key),
                self._position(event.start_mark, event.end_mark),
                f"the alias '*{name}' has no anchor '&{name}' before it in this document",
                did_you_mean(name, self._anchors) or "quote a text that begins with '*'",
            )
            return None, 1
        value, size = self._anchors[name]
        self._aliased += size
        if self._aliased > MAX_ALIASED_NODES:
            raise StopReading(
                rules.TOO_LARGE,
                f"the aliases of this document stand for more than {MAX_ALIASED_NODES} values",
                "write the values themselves",
                event.start_mark,
            )
        return value, size

    def _merge(self, entries: dict[object, object], seen: dict[object, yaml.Mark]) -> None:
        """Copy what a merge key refers to; what the mapping says itself wins, even a null."""
        merged = entries.pop(_MERGE)
        for source in merged if isinstance(merged, list) else [merged]:
            if not isinstance(source, dict):
                self._flaw(
                    rules.WRONG_TYPE,
                    self._path(None, _AWAITED),
                    self._position(seen[_MERGE]),
                    "the merge key '<<' takes a mapping or a list of mappings",
                    "refer to a mapping, as in '<<: *anchor'",
                )
                continue
            self._merged += len(source)
            if self._merged > MAX_MERGED_ENTRIES:
                raise StopReading(
                    rules.TOO_LARGE,
                    f"the merge keys of this document copy more than {MAX_MERGED_ENTRIES} entries",
                    "write the entries themselves",
                    seen[_MERGE],
                )
            for key, value in source.items():
                if key not in seen:
                    entries.setdefault(key, value)


def _too_deep(event: Event) -> StopReading:
    return StopReading(
        rules.TOO_LARGE,
        f"mappings and lists are nested more than {MAX_DEPTH} deep",
        "nest less",
        event.start_mark,
    )

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from translator.parse.limits import MAX_DEPTH
from translator.parse.stream import events_of
from translator.parse.text import decode, printable
from translator.report import Position

if TYPE_CHECKING:
    from translator.parse.document import Path
    from translator.parse.trail import Event, Mark


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextLocator:
    """Finds places in the text of a document."""

    origin: str
    """The name of the file."""
    text: bytes
    """The bytes of the whole file, which whoever read the file keeps as well."""
    start: int
    """Where the document begins in them."""
    end: int
    """Where the document ends in them, or can no longer be read."""
    line: int
    """The line on which it begins, from 0."""
    prefix: Path = ()
    """The path of this document in its `List`."""

    def value(self, *path: str | int) -> Position:
        """Locate the value at a path of keys and indices; where there is none, its parent."""
        steps = self._walk(path)
        return self._position(steps[-1][1] if steps else None)

    def key(self, *path: str | int) -> Position:
        """Locate the key at the end of a path; where there is none, the value's place."""
        steps = self._walk(path)
        if not steps:
            return self._position(None)
        key, value = steps[-1]
        complete = len(steps) == len(self.prefix) + len(path) + 1
        return self._position(key if complete and key is not None else value)

    def _walk(self, path: Path) -> list[tuple[_Node | None, _Node]]:
        """Follow a path as far as it goes; each step is a value and, in a mapping, its key."""
        root = _compose(self.text, self.start, self.end)
        steps: list[tuple[_Node | None, _Node]] = [] if root is None else [(None, root)]
        for element in (*self.prefix, *path) if steps else ():
            step = steps[-1][1].step(element)
            if step is None:
                break
            steps.append(step)
        return steps

    def _position(self, node: _Node | None) -> Position:
        if node is None:
            return Position(path=self.origin, line=self.line + 1, column=1)
        return Position(
            path=self.origin,
            line=self.line + node.begin.line + 1,
            column=node.begin.column + 1,
            width=max(1, self._width(node)),
        )

    def _width(self, node: _Node) -> int:
        if node.begin.line == node.end.line:
            return node.end.column - node.begin.column
        if node.block:
            # A block of many lines is shown by its first key, or its first dash.
            return self._width(next(iter(node.entries.values()))[0]) if node.entries else 1
        text = decode(self.text[self.start : self.end])
        return len(text[node.begin.index : node.end.index].split("\n", 1)[0].rstrip())


class _Node:
    """A value and where it stands."""

    __slots__ = ("begin", "block", "end", "entries", "items", "key")

    def __init__(self, event: Event) -> None:
        self.begin: Mark = event.start_mark
        self.end: Mark = event.end_mark
        self.block = type(event) in {MappingStartEvent, SequenceStartEvent} and not event.flow_style
        self.entries: dict[str, tuple[_Node, _Node]] = {}
        """The keys and values of a mapping; of equal keys the first."""
        self.items: list[_Node] = []
        """The items of a sequence."""
        self.key: tuple[str, _Node] | None = None
        """The key of a mapping whose value comes next."""

    def step(self, element: str | int) -> tuple[_Node | None, _Node] | None:
        """Find a value inside, with its key."""
        if self.items and isinstance(element, int):
            return (None, self.items[element]) if element < len(self.items) else None
        return self.entries.get(str(element))

    def add_to_mapping(self, text: str, child: _Node) -> None:
        """Add a key, or the value of the last key."""
        if self.key is None:
            self.key = (text, child)
        else:
            name, key = self.key
            self.entries.setdefault(name, (key, child))
            self.key = None

    def close(self, end: Mark) -> None:
        """End a collection; what a merge key copies into it stands where it was written first."""
        self.end = end
        if "<<" in self.entries:
            _, merged = self.entries["<<"]
            for source in [merged, *merged.items]:
                for name, entry in list(source.entries.items()):
                    self.entries.setdefault(name, entry)


@lru_cache(maxsize=8)
def _compose(text: bytes, start: int, end: int) -> _Node | None:
    """
    Read a document once more, this time for its places, as far as it can be read.

    Places are needed for findings only, so they are found again instead of being kept: they take
    many times the memory of the text. And the bytes are decoded again, for the same reason.
    """
    root: _Node | None = None
    collections: list[tuple[_Node, bool]] = []
    anchors: dict[str, _Node] = {}
    with suppress(yaml.YAMLError):
        for event in iter(events_of(printable(decode(text[start:end]))), None):
            kind = type(event)
            if kind is MappingEndEvent or kind is SequenceEndEvent:
                collections.pop()[0].close(event.end_mark)
                continue
            if kind is DocumentEndEvent or len(collections) > MAX_DEPTH:
                break
            if kind is AliasEvent:
                node = anchors.get(event.anchor) or _Node(event)
            elif kind is ScalarEvent or kind is MappingStartEvent or kind is SequenceStartEvent:
                node = _Node(event)
                if event.anchor is not None:
                    anchors[event.anchor] = node
            else:
                continue
            if not collections:
                root = node
            elif collections[-1][1]:
                collections[-1][0].add_to_mapping(getattr(event, "value", ""), node)
            else:
                collections[-1][0].items.append(node)
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                collections.append((node, kind is MappingStartEvent))
    return root

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

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

from translator.parse.document import Path
from translator.parse.limits import MAX_DEPTH
from translator.parse.stream import events_of
from translator.parse.trail import Event, Mark
from translator.report import Position


class _Node:
    """A value and where it stands."""

    __slots__ = ("begin", "end", "entries", "flow", "items")

    def __init__(self, event: Event) -> None:
        self.begin: Mark = event.start_mark
        self.end: Mark = event.end_mark
        self.flow: bool = getattr(event, "flow_style", True)
        self.entries: dict[str, tuple[_Node, _Node]] = {}
        self.items: list[_Node] = []

    def merge(self) -> None:
        """Add what a merge key copies; it stands where it was written first."""
        if "<<" in self.entries:
            _, merged = self.entries["<<"]
            for source in [merged, *merged.items]:
                for name, entry in list(source.entries.items()):
                    self.entries.setdefault(name, entry)


class _Frame:
    """A collection that is being read."""

    __slots__ = ("key", "key_name", "node")

    def __init__(self, node: _Node) -> None:
        self.node = node
        self.key: _Node | None = None
        self.key_name = ""

    def add(self, child: _Node, text: str, *, mapping: bool) -> None:
        if not mapping:
            self.node.items.append(child)
        elif self.key is None:
            self.key, self.key_name = child, text
        else:
            # Of two equal keys the first counts.
            self.node.entries.setdefault(self.key_name, (self.key, child))
            self.key = None



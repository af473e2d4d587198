from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from translator.parse.stream import HAS_LIBYAML
from translator.report import Position

if TYPE_CHECKING:
    from translator.parse.document import Path

if HAS_LIBYAML:
    from yaml import CSafeLoader as _Loader
else:
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class _Composer(_Loader):
    """Composes without asking what the scalars mean, which is most of the work."""

    def resolve(self, kind: type[Node], value: str, implicit: object) -> str:
        del kind, value, implicit
        return "?"

    def descend_resolver(self, current_node: Node | None, current_index: object) -> None: ...

    def ascend_resolver(self) -> None: ...


class _Tree:
    """A document with the places of all its keys and values."""

    def __init__(self, root: Node | None) -> None:
        self.root = root
        self._entries: dict[int, dict[str, tuple[Node, Node]]] = {}

    def walk(self, path: Path) -> list[tuple[Node | None, Node]]:
        """Follow a path as far as it goes; each step is a value and, in a mapping, its key."""
        steps: list[tuple[Node | None, Node]] = [] if self.root is None else [(None, self.root)]
        for element in path if steps else ():
            step = self._step(steps[-1][1], element)
            if step is None:
                break
            steps.append(step)
        return steps

    def _step(self, node: Node, element: str | int) -> tuple[Node | None, Node] | None:
        if isinstance(node, MappingNode):
            return self._entries_of(node).get(str(element))
        if (
            isinstance(node, SequenceNode)
            and isinstance(element, int)
            and element < len(node.value)
        ):
            return None, node.value[element]
        return None

    def _entries_of(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        """Index a mapping by its keys; of two equal keys the first counts."""
        entries = self._entries.get(id(node))
        if entries is None:
            entries = self._entries[id(node)] = {}
            merged: list[Node] = []
            for key, value in node.value:
                if isinstance(key, ScalarNode):
                    entries.setdefault(key.value, (key, value))
                    if key.value == "<<":
                        merged += value.value if isinstance(value, SequenceNode) else [value]
            # What a merge key copies stands where it was written first.
            for source in merged:
                if isinstance(source, MappingNode):
                    for name, entry in self._entries_of(source).items():
                        entries.setdefault(name, entry)
        return entries


@lru_cache(maxsize=8)
def _compose(text: str, start: int, end: int) -> _Tree:
    """
    Compose one document again, this time with positions.

    Positions are needed for findings only, so they are found again instead of being kept: nodes
    take many times the memory of the text.
    """
    try:
        return _Tree(_Composer(text[start:end]).get_single_node())
    except yaml.YAMLError:
        return _Tree(None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextLocator:
    """Finds places in the text of a document."""

    origin: str
    """The name of the file."""
    text: str
    """The text of the whole file, which the documents of a file share."""
    start: int
    """Where the document begins in it."""
    end: int
    """Where the document ends in it."""
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

    def _walk(self, path: Path) -> list[tuple[Node | None, Node]]:
        return _compose(self.text, self.start, self.end).walk((*self.prefix, *path))

    def _position(self, node: Node | None) -> Position:
        if node is None:
            return Position(path=self.origin, line=self.line + 1, column=1)
        begin = node.start_mark
        return Position(
            path=self.origin,
            line=self.line + begin.line + 1,
            column=begin.column + 1,
            width=self._width(node),
        )

    def _width(self, node: Node) -> int:
        begin, end = node.start_mark, node.end_mark
        if begin.line == end.line:
            return max(1, end.column - begin.column)
        match node:
            case MappingNode(flow_style=False, value=[(ScalarNode() as key, _), *_]):
                return self._width(key)
            case CollectionNode(flow_style=False):
                return 1
            case _:
                first = self.start + begin.index
                line = self.text[first : self.start + end.index].split("\n", 1)[0]
                return max(1, len(line.rstrip()))

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from translator.parse.document import Path
from translator.report import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

try:
    from yaml.cyaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class _Composer(_Loader):
    """Composes without asking what the scalars mean, which is most of the work."""

    def resolve(self, kind: type[Node], value: str, implicit: object) -> str:
        del kind, value, implicit
        return "?"

    def descend_resolver(self, current_node: Node | None, current_index: object) -> None: ...

    def ascend_resolver(self) -> None: ...


@lru_cache(maxsize=8)
def _compose(text: str, start: int, end: int) -> Node | None:
    """
    Compose one document again, this time with positions.

    Positions are needed for findings only, so they are found again instead of being kept: nodes
    take fifty times the memory of the text.
    """
    try:
        return _Composer(text[start:end]).get_single_node()  # type: ignore[no-any-return]
    except yaml.YAMLError:
        return None


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
        node = None
        for _, found in self._walk((*self.prefix, *path)):
            node = found
        return self._position(node)

    def key(self, *path: str | int) -> Position:
        """Locate the key at the end of a path; where there is none, the value's place."""
        key, node = None, None
        steps = self._walk((*self.prefix, *path))
        for key, node in steps:  # noqa: B007 - the last step counts
            pass
        complete = len(steps) == len(self.prefix) + len(path) + 1
        return self._position(key if complete and key is not None else node)

    def _walk(self, path: Path) -> Sequence[tuple[Node | None, Node]]:
        """Follow a path as far as it goes; each step is a value and, in a mapping, its key."""
        root = _compose(self.text, self.start, self.end)
        if root is None:
            return []
        steps: list[tuple[Node | None, Node]] = [(None, root)]
        for element in path:
            step = _step(steps[-1][1], element)
            if step is None:
                break
            steps.append(step)
        return steps

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


def _step(node: Node, element: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode):
        if isinstance(element, int) and element < len(node.value):
            return None, node.value[element]
        return None
    if not isinstance(node, MappingNode):
        return None
    merged: list[Node] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            if key.value == str(element):
                return key, value
            if key.value == "<<":
                merged += value.value if isinstance(value, SequenceNode) else [value]
    # What a merge key copies stands where it was written first.
    for source in merged:
        if source is not node and (step := _step(source, element)) is not None:
            return step
    return None

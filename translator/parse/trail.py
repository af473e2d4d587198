"""Where the walk through a document is, and what it has found wrong on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from translator.parse.document import Flaw, Path
from translator.parse.scalars import key_text
from translator.report import Diagnostic, Position, Rule, quote, rules

if TYPE_CHECKING:
    from collections.abc import Mapping

Event: TypeAlias = Any
"""An event of PyYAML, whose type information leaves open what is always set."""

AWAITED: Final = object()
"""Stands for the key of a mapping while its next key is awaited."""
MERGE: Final = object()
"""The merge key."""
DROPPED: Final = object()
"""Stands for a key that cannot be one."""


class Mark(Protocol):
    """A place in a stream, counted from 0 in characters."""

    index: int
    line: int
    column: int


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


class Frame(NamedTuple):
    """The state of a collection while one inside it is read."""

    items: list[object] | None
    """The items, if it is a sequence."""
    entries: dict[object, object]
    """The entries, if it is a mapping."""
    seen: dict[object, Mark]
    """Where each of the keys stands."""
    key: object
    """The key whose value is read."""
    anchor: str | None
    """The anchor of the collection inside."""
    before: int
    """How many nodes were read before the collection inside."""
    begin: Mark
    """Where the collection inside begins."""


class Trail:
    """The way from the root of a document to the place that is read."""

    def __init__(self, origin: str, first_line: int, document: RawDocument) -> None:
        self.frames: list[Frame] = []
        """The collections around; the first is the document itself, a sequence of one."""
        self.document = document
        """The document that is read."""
        self._origin = origin
        self._first_line = first_line

    def path(self, items: list[object] | None, key: object) -> Path:
        """
        Say where the walk is.

        Args:
            items: The items of the innermost collection, if it is a sequence.
            key: Its key, if it is a mapping; without one the path is that of the mapping.
        """
        if not self.frames:
            return ()
        around = [(frame.items, frame.key) for frame in self.frames[1:]]
        return tuple(
            key_text(key) if items is None else len(items)
            for items, key in (*around, (items, key))
            if items is not None or key is not AWAITED
        )

    def outermost(
        self, items: list[object] | None, entries: dict[object, object]
    ) -> dict[object, object] | None:
        """Give the mapping at the root, if there is one, with the entries that are complete."""
        if not self.frames:
            return None
        if len(self.frames) > 1:
            items, entries = self.frames[1].items, self.frames[1].entries
        if items is not None:
            return None
        return {key: value for key, value in entries.items() if key is not MERGE}

    def flaw(
        self, rule: Rule, path: Path, begin: Mark, end: Mark, message: str, advice: str
    ) -> None:
        """Note a mistake."""
        self._add(rule, path, self._position(begin, end), message, advice)

    def duplicate(self, key: object, first: Mark, event: Event) -> None:
        """Note that a key stands twice in the innermost mapping."""
        if key is DROPPED:
            return
        name = "<<" if key is MERGE else key_text(key)
        self._add(
            rules.DUPLICATE_KEY,
            (*self.path(None, AWAITED), name),
            self._position(event.start_mark, event.end_mark),
            f"key {quote(name)} stands twice in this mapping",
            "remove one of the two",
            (("first here", self._position(first, first)),),
        )

    def bad_key(
        self, value: Mapping[object, object] | list[object], begin: Mark, end: Mark
    ) -> None:
        """Note that a key is a collection."""
        what = "list" if isinstance(value, list) else "mapping"
        self.flaw(
            rules.WRONG_TYPE,
            self.path(None, AWAITED),
            begin,
            end,
            f"a key must be text, got a {what}",
            "quote a text that begins with '{' or '['; fill in templates before",
        )

    def bad_tag(self, tag: str, event: Event, items: list[object] | None, key: object) -> None:
        """Note that a value has a tag that means nothing here."""
        self.flaw(
            rules.TAG,
            self.path(items, key),
            event.start_mark,
            event.end_mark,
            f"the tag {quote(tag)} is unknown or does not fit the value",
            "remove the tag",
        )

    def _position(self, begin: Mark, end: Mark) -> Position:
        width = end.column - begin.column if end.line == begin.line else 1
        return Position(
            path=self._origin,
            line=self._first_line + begin.line + 1,
            column=begin.column + 1,
            width=max(1, width),
        )

    def _add(
        self,
        rule: Rule,
        path: Path,
        position: Position,
        message: str,
        advice: str,
        related: tuple[tuple[str, Position], ...] = (),
    ) -> None:
        diagnostic = Diagnostic(
            rule=rule,
            resource=None,
            position=position,
            message=message,
            help=advice,
            related=related,
        )
        self.document.flaws.append(Flaw(path=path, diagnostic=diagnostic))

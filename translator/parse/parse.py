from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import deque
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import yaml

from translator.parse.document import Document, Flaw, ParsedFile
from translator.parse.limits import MAX_CHARACTERS
from translator.parse.locate import TextLocator
from translator.parse.stream import Allowance, StopReading, Stream
from translator.parse.syntax import Complaint, explain
from translator.parse.text import UNPRINTABLE, Offsets, decode, printable
from translator.parse.trail import RawDocument
from translator.report import Diagnostic, Position, Rule, rules

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
"""The start of a document. YAML allows this line nowhere else, not even in a quoted text."""


def parse(origin: str, text: bytes) -> ParsedFile:
    """
    Read the bytes of one file.

    It never raises, whatever the bytes are, and takes time in proportion to their number. A
    mistake costs its own document only: the others are read, and of a document that breaks off,
    what stands before the mistake is kept, so that the resource can be named.
    """
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _refused(
            origin, rules.BAD_ENCODING, "the file is UTF-16, not UTF-8", "save it as UTF-8"
        )
    decoded = decode(text.removeprefix(BOM_UTF8))
    if len(decoded) > MAX_CHARACTERS:
        limit = MAX_CHARACTERS // 2**20
        return _refused(
            origin,
            rules.TOO_LARGE,
            f"the file is longer than {limit} MiB",
            "split it into several files",
        )
    return _File(origin, text, decoded).parsed()


def _refused(origin: str, rule: Rule, message: str, advice: str) -> ParsedFile:
    diagnostic = _diagnostic(rule, Position(path=origin, line=1, column=1), message, advice)
    return ParsedFile(origin=origin, documents=(), diagnostics=(diagnostic,))


def _diagnostic(
    rule: Rule,
    position: Position,
    message: str,
    advice: str,
    related: tuple[tuple[str, Position], ...] = (),
) -> Diagnostic:
    return Diagnostic(
        rule=rule,
        resource=None,
        position=position,
        message=message,
        help=advice,
        related=related,
    )


class _File:
    """The reading of one file: its bytes, and the same decoded."""

    def __init__(self, origin: str, data: bytes, text: str) -> None:
        self._origin = origin
        self._data = data
        self._unprintable = deque(UNPRINTABLE.finditer(text))
        self._places = _Places(origin, text)
        self._offsets = Offsets(text, len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0)
        self._text = printable(text) if self._unprintable else text
        self._allowance = Allowance.of(text)
        self._documents: list[Document] = []
        self._diagnostics: list[Diagnostic] = []

    def parsed(self) -> ParsedFile:
        for raw, problem in self._read():
            self._add(raw, problem)
        self._diagnostics += self._spoilt(len(self._text) + 1)
        return ParsedFile(
            origin=self._origin,
            documents=tuple(self._documents),
            diagnostics=tuple(self._diagnostics),
        )

    def _read(self) -> Iterator[tuple[RawDocument, Diagnostic | None]]:
        """Read all at once; after a mistake, go on with one document at a time."""
        text = self._text
        failed = yield from self._read_stream(text, 0, 0)
        if failed is None:
            return
        starts = [marker.start() for marker in _MARKER.finditer(text, failed)]
        line = counted = 0
        for start, end in pairwise([*starts, len(text)]):
            line += text.count("\n", counted, start)
            counted = start
            yield from self._read_stream(text[start:end], start, line)

    def _read_stream(
        self, text: str, start: int, line: int
    ) -> Generator[tuple[RawDocument, Diagnostic | None], None, int | None]:
        """
        Read the documents of a part of the file.

        Returns:
            Where to look for the next document after a mistake, or None if there was none.
        """
        stream = Stream(self._origin, text, self._allowance, line)
        try:
            for document in stream.documents():
                yield (
                    replace(
                        document,
                        start=start + document.start,
                        end=start + document.end,
                        line=line + document.line,
                    ),
                    None,
                )
        except StopReading as stop:
            index = stop.mark.index
            complaint = Complaint(
                rules.TOO_LARGE, stop.mark.line, stop.mark.column, stop.message, stop.advice
            )
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            index = mark.index - mark.column if mark else 0
            complaint = explain(error, text, stream.innermost)
        else:
            return None
        broken = stream.current or RawDocument(start=0, line=complaint.line)
        yield (
            replace(
                broken,
                start=start + broken.start,
                end=start + index,
                line=line + broken.line,
            ),
            self._syntax_error(complaint, line),
        )
        return start + max(index, broken.start + 1)

    def _syntax_error(self, complaint: Complaint, first_line: int) -> Diagnostic:
        def place(line: int, column: int) -> Position:
            return Position(path=self._origin, line=first_line + line + 1, column=column + 1)

        related = complaint.related
        return _diagnostic(
            complaint.rule,
            place(complaint.line, complaint.column),
            complaint.message,
            complaint.advice,
            ((related[0], place(*related[1:])),) if related else (),
        )

    def _add(self, raw: RawDocument, problem: Diagnostic | None) -> None:
        flaws = raw.flaws
        whole = [problem] if problem else []
        if problem:
            # What went wrong on one line is one mistake.
            line = problem.position.line
            flaws = [flaw for flaw in flaws if flaw.diagnostic.position.line != line]
        self._diagnostics += self._spoilt(raw.start)
        whole += self._spoilt(raw.end)
        flaws = [*flaws, *(Flaw(path=(), diagnostic=diagnostic) for diagnostic in whole)]
        locator = TextLocator(
            origin=self._origin,
            text=self._data,
            start=self._offsets.of(raw.start),
            end=self._offsets.of(raw.end),
            line=raw.line,
        )
        if isinstance(raw.root, dict):
            self._add_mapping(raw.root, locator, flaws)
            return
        self._diagnostics += [flaw.diagnostic for flaw in flaws]
        if raw.root is not None and not flaws:
            self._report(rules.NOT_A_RESOURCE, locator.value(), _NOT_A_MAPPING, _WANTED)

    def _spoilt(self, end: int) -> list[Diagnostic]:
        """Report the characters up to a place that YAML cannot have; the first is enough."""
        found: list[Diagnostic] = []
        while self._unprintable and self._unprintable[0].start() < end:
            bad = self._unprintable.popleft()
            if not found:
                rule, message, advice = _explain_character(bad.group())
                place = self._places.position(bad.start())
                found.append(_diagnostic(rule, place, message, advice))
        return found

    def _add_mapping(
        self, data: dict[str, object], locator: TextLocator, flaws: list[Flaw]
    ) -> None:
        if data.get("kind") != "List" or data.get("apiVersion") != "v1":
            self._documents.append(Document(data=data, locator=locator, flaws=tuple(flaws)))
            return
        items = data.get("items", [])
        of_items: dict[object, list[Flaw]] = {}
        for flaw in flaws:
            match flaw.path:
                case ("items", int(index), *rest):
                    inner = Flaw(path=tuple(rest), diagnostic=flaw.diagnostic)
                    of_items.setdefault(index, []).append(inner)
                case _:
                    self._diagnostics.append(flaw.diagnostic)
        if not isinstance(items, list):
            where = locator.key("items")
            self._report(rules.WRONG_TYPE, where, "items: expected a list", "begin it with '- '")
        elif all(flaw.path for flaw in flaws):
            for index, item in enumerate(items):
                inner_locator = replace(locator, prefix=(*locator.prefix, "items", index))
                inner_flaws = of_items.get(index, [])
                if isinstance(item, dict):
                    self._add_mapping(item, inner_locator, inner_flaws)
                else:
                    where = inner_locator.value()
                    self._report(rules.NOT_A_RESOURCE, where, _NOT_A_MAPPING, _WANTED)

    def _report(self, rule: Rule, position: Position, message: str, advice: str) -> None:
        self._diagnostics.append(_diagnostic(rule, position, message, advice))


_NOT_A_MAPPING = "this is not a resource"
_WANTED = "a resource is a mapping with apiVersion, kind, metadata and spec"


class _Places:
    """Counts lines up to places that come in the order of the text."""

    def __init__(self, origin: str, text: str) -> None:
        self._origin = origin
        self._text = text
        self._line = 1
        self._line_start = self._counted = 0

    def position(self, index: int) -> Position:
        """Give the position of a character that is not before the last one asked for."""
        self._line += self._text.count("\n", self._counted, index)
        last = self._text.rfind("\n", self._counted, index)
        self._line_start = max(self._line_start, last + 1)
        self._counted = index
        return Position(path=self._origin, line=self._line, column=index - self._line_start + 1)


def _explain_character(character: str) -> tuple[Rule, str, str]:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        message = f"the byte 0x{code - 0xDC00:02X} is not UTF-8"
        return rules.BAD_ENCODING, message, "save the file as UTF-8"
    message = f"the control character U+{code:04X} is not allowed"
    return rules.BAD_YAML, message, "remove it, or write it as an escape in double quotes"

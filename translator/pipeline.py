"""The stages of a translation, joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translator.lower import lower
from translator.parse import parse
from translator.policy import Backends, InvalidConfig, Served, serve
from translator.report import Diagnostic, Position, Severity, rules
from translator.resources import build_index, read

if TYPE_CHECKING:
    from translator import ir
    from translator.resources import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a source holds at one moment."""

    files: Mapping[str, bytes]
    """The texts by origin: for a folder, the path below it with `/` between names."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Origins that exist and could not be read, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """What one text says on its own."""

    text: bytes
    readings: tuple[Reading, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What some inputs mean."""

    inputs: Inputs
    served: Mapping[str, Served]
    """What each proxy is served and why, by name."""
    diagnostics: tuple[Diagnostic, ...]
    """Every mistake, once, sorted by place."""
    files: Mapping[str, FileReading]
    """The reading of each text, for the next translation to reuse."""

    @property
    def proxies(self) -> tuple[ir.Proxy, ...]:
        """What each proxy is to be served, sorted by name; every route is valid."""
        return tuple(served.proxy for served in self.served.values())

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)


def translate(inputs: Inputs, previous: Translation | None = None) -> Translation:
    """
    Translate inputs into what each proxy is to do.

    Args:
        inputs: All texts.
        previous: An earlier translation, whose work is reused; the result does not depend on it.

    Never raises for what users write; their mistakes are diagnostics.
    """
    if previous is not None and previous.inputs == inputs:
        return previous
    known = previous.files if previous else {}
    files = {
        origin: _read_file(origin, text, known.get(origin))
        for origin, text in sorted(inputs.files.items())
    }
    index, conflicts = build_index(reading for file in files.values() for reading in file.readings)
    lowered = lower(index)
    memory = {name: served.memory for name, served in previous.served.items()} if previous else {}
    served = {
        proxy.name: serve(
            proxy,
            InvalidConfig(),
            memory.get(proxy.name),
            damaged=False,
            spare=Backends.of((), ()),
        )
        for proxy in lowered.proxies
    }
    diagnostics = [
        *(_unreadable(origin, reason) for origin, reason in inputs.unreadable.items()),
        *(diagnostic for file in files.values() for diagnostic in file.diagnostics),
        *conflicts,
        *lowered.diagnostics,
    ]
    return Translation(
        inputs=inputs,
        served=served,
        diagnostics=tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key)),
        files=files,
    )


def _read_file(origin: str, text: bytes, known: FileReading | None) -> FileReading:
    if known is not None and known.text == text:
        return known
    parsed = parse(origin, text)
    namespace = _folder_namespace(origin)
    readings = tuple(read(document, folder_namespace=namespace) for document in parsed.documents)
    found = (diagnostic for reading in readings for diagnostic in reading.diagnostics)
    return FileReading(text=text, readings=readings, diagnostics=(*parsed.diagnostics, *found))


def _folder_namespace(origin: str) -> str:
    """Name the folder that holds a file, empty for one at the top."""
    _, _, folder = origin.rpartition("/")[0].rpartition("/")
    return folder


def _unreadable(origin: str, reason: str) -> Diagnostic:
    return Diagnostic(
        rule=rules.UNREADABLE,
        resource=None,
        position=Position(path=origin, line=1, column=1),
        message=f"the file cannot be read: {reason}",
        help="what it held before is gone from the configuration until it can be read again",
    )

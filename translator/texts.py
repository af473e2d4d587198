"""What each text says on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translator.parse import parse
from translator.report import Damage, Diagnostic, Severity
from translator.resources import folder_namespace, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator.resources import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """What one text says on its own."""

    text: bytes
    readings: tuple[Reading, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def damaged(self) -> bool:
        """Whether a part of the text could not be read, whatever it held."""
        return any(map(hides, self.diagnostics))


def read_file(origin: str, text: bytes, known: FileReading | None = None) -> FileReading:
    """Read a text, unless it is known already."""
    if known is not None and known.text == text:
        return known
    parsed = parse(origin, text)
    namespace = folder_namespace(origin)
    readings = tuple(read(document, folder_namespace=namespace) for document in parsed.documents)
    found = (diagnostic for reading in readings for diagnostic in reading.diagnostics)
    return FileReading(text=text, readings=readings, diagnostics=(*parsed.diagnostics, *found))


def readings(files: Mapping[str, FileReading], origins: Iterable[str]) -> Iterator[Reading]:
    """Yield what the documents of some texts say, as far as the texts are there."""
    for origin in origins:
        if origin in files:
            yield from files[origin].readings


def hides(found: Diagnostic) -> bool:
    """Tell whether a finding is about a text of which nobody knows what it was to define."""
    nameless = found.resource is None and found.severity is Severity.ERROR
    return found.rule.damage is Damage.FILE or nameless

"""
What was looked at, one line for each kind of thing, in a fixed order.

    Checking files... OK (5 files)
    Checking gateways... OK
    Checking route tables... 1 error
    Checking settings... none
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from penstock.findings.text import count, paint
from translator.report import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.findings.report import Report
    from translator.report import Diagnostic

__all__ = ["sections"]

_FILES: Final = "files"
_OTHER: Final = "other kinds"
_SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "gateways": frozenset({"Gateway"}),
    "virtual services": frozenset({"VirtualService"}),
    "route tables": frozenset({"RouteTable"}),
    "upstreams": frozenset({"Upstream"}),
    "upstream groups": frozenset({"UpstreamGroup"}),
    "services and endpoints": frozenset({"Service", "Endpoints", "EndpointSlice", "Pod"}),
    "settings": frozenset({"Settings"}),
}
"""The kinds of each section."""
_BY_KIND: Final = {kind: name for name, kinds in _SECTIONS.items() for kind in kinds}
_TONES: Final = {"OK": "32", "none": "2"}


def sections(report: Report, *, colour: bool) -> Iterator[str]:
    """
    Yield the lines of all sections.

    A finding is counted in the section of the resource that holds the mistake, and nowhere else;
    one without a resource is about a file. Kinds that Penstock has no use for are listed only if
    there is a finding on them.
    """
    found: Counter[tuple[str, Severity]] = Counter(
        (_section(diagnostic), diagnostic.severity) for diagnostic in report.diagnostics
    )

    def line(name: str, otherwise: str, more: str = "") -> str:
        parts = [
            paint(count(number, str(severity)), tone, colour=colour)
            for severity, tone in ((Severity.ERROR, "1;31"), (Severity.WARNING, "1;33"))
            if (number := found[name, severity])
        ]
        outcome = ", ".join(parts) or paint(otherwise, _TONES[otherwise], colour=colour)
        return f"Checking {name}... {outcome}{more}"

    yield line(_FILES, "OK", f" ({count(report.files, 'file')})")
    for name, kinds in _SECTIONS.items():
        yield line(name, "none" if kinds.isdisjoint(report.kinds) else "OK")
    if any(name == _OTHER for name, _ in found):
        yield line(_OTHER, "OK")


def _section(diagnostic: Diagnostic) -> str:
    if diagnostic.resource is None:
        return _FILES
    return _BY_KIND.get(diagnostic.resource.kind, _OTHER)

"""The words of the parser's tests."""

from translator.parse import ParsedFile, parse


def parsed(text: str | bytes) -> ParsedFile:
    """Parse a text as a file named f.yaml."""
    return parse("f.yaml", text if isinstance(text, bytes) else text.encode())


def data(text: str | bytes) -> list[object]:
    """Give the data of all documents."""
    return [document.data for document in parsed(text).documents]


def findings(text: str | bytes) -> list[str]:
    """Give all findings, of documents and of the file, as one line each."""
    file = parsed(text)
    found = [
        *file.diagnostics,
        *(flaw.diagnostic for document in file.documents for flaw in document.flaws),
    ]
    return [
        f"{finding.position} {finding.code} {finding.message}"
        for finding in sorted(found, key=lambda finding: finding.sort_key)
    ]

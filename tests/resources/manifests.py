"""The words of the tests about resources."""

from translator.parse import parse
from translator.resources import Reading, folder_namespace, read


def readings(text: str, origin: str = "echo/f.yaml") -> list[Reading]:
    """Read all documents of a text."""
    file = parse(origin, text.encode())
    assert not file.diagnostics
    return [
        read(document, folder_namespace=folder_namespace(origin)) for document in file.documents
    ]


def reading(text: str, origin: str = "echo/f.yaml") -> Reading:
    """Read the only document of a text."""
    [only] = readings(text, origin)
    return only


def lines(found: Reading) -> list[str]:
    """Give each finding as one line."""
    return [
        f"{finding.position.line}:{finding.position.column} {finding.code} {finding.message}"
        + (f" | {finding.help}" if finding.help else "")
        for finding in found.diagnostics
    ]


def manifest(kind: str, spec: str, api_version: str = "gateway.solo.io/v1") -> str:
    """Write a resource; its spec begins on line 5."""
    return (
        f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: echo, namespace: echo}}\n"
        f"spec:\n{spec}\n"
    )


def table(spec: str) -> str:
    """Write a route table; its spec begins on line 5."""
    return manifest("RouteTable", spec)


def upstream(spec: str) -> str:
    """Write an upstream; its spec begins on line 5."""
    return manifest("Upstream", spec, "gloo.solo.io/v1")

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from support.envoy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GOLDEN = ROOT / "tests" / "golden"


def golden_inputs(case: str) -> dict[str, bytes]:
    """Return the inputs of a golden case by their path; see `tests/golden/test_golden.py`."""
    base = GOLDEN / case / "from"
    files = golden_inputs(base.read_text().strip()) if base.exists() else {}
    root = GOLDEN / case / "in"
    files |= {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    return {path: text for path, text in files.items() if text}


def on_loopback(text: bytes, ports: Mapping[str, int]) -> bytes:
    """
    Move the endpoints of Kubernetes documents to this machine.

    Args:
        text: The documents.
        ports: The port of each Pod's stand-in. They differ, so each Pod gets an EndpointSlice of
            its own.
    """
    return yaml.safe_dump_all(_moved(yaml.safe_load_all(text), ports)).encode()


def _moved(documents, ports: Mapping[str, int]) -> Iterator[dict[str, object]]:
    for document in documents:
        match document["kind"]:
            case "Pod":
                yield document | {"status": {"podIP": "127.0.0.1"}}
            case "EndpointSlice":
                for endpoint in document["endpoints"]:
                    pod = endpoint["targetRef"]["name"]
                    yield document | {
                        "metadata": document["metadata"] | {"name": pod},
                        "ports": [{"name": "http", "port": ports[pod]}],
                        "endpoints": [endpoint | {"addresses": ["127.0.0.1"]}],
                    }
            case _:
                yield document

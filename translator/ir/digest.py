"""Names for what a part of the IR says, whatever it is called."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from translator.ir.plain import to_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from translator.ir.routes import Route


def digest(value: object) -> str:
    """Return 64 bits of SHA-256 over the IR, or any part of it: equal for equal values only."""
    return hashlib.sha256(json.dumps(to_plain(value)).encode()).hexdigest()[:16]


def digest_routes(routes: Iterable[Route]) -> str:
    """
    Return the digest of what some routes do, without their names.

    A route without a name of its own is called by its place, which moves when its author adds
    another one above it.
    """
    return digest(
        tuple(
            replace(route, name="", identity="", source=replace(route.source, route=""), faults=())
            for route in routes
        )
    )

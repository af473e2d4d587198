from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_CODE = 404
DEFAULT_BODY = (
    "This route has an invalid configuration and is not served. "
    "'penstock check' tells where and why.\n"
)


class Mode(StrEnum):
    """What to do with a proxy that has invalid routes."""

    HOLD = "hold"
    """It keeps its last good routes and listeners until all of them are valid."""
    REPLACE = "replace"
    """An invalid route answers with an error; all others are served as written."""
    KEEP = "keep"
    """An invalid route keeps its own last good version; all others are served as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidConfig:
    """The policy in force (`Settings.spec.gloo.invalidConfigPolicy`)."""

    mode: Mode = Mode.HOLD
    code: int = DEFAULT_CODE
    """The status that a replaced route answers."""
    body: str = DEFAULT_BODY
    """The body that a replaced route answers."""

"""What the text of a NACK tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# protobuf puts a varying marker before a message that it prints, so that nobody compares texts.
_MARKER: Final = re.compile(r"\bgoo\.gle/debug\w*")
_GRPC: Final = "xDS response validation errors: ["
_ENTRY: Final = re.compile(r"[\[ ]resource index \d+: ")


def clean(text: str) -> str:
    """Return the text of a NACK without what differs from one time to the next (rule 99)."""
    return " ".join(_MARKER.sub(" ", text).split())


def culprits(text: str, names: Iterable[str]) -> frozenset[str]:
    """
    Return which of the resources the text blames by name; none if it does not say.

    Rule 100: Envoy lists the clusters or listeners that it refused, each with a reason, as
    `Error adding/updating cluster(s) one: reason, two: reason`, and has applied the others.
    Routes, endpoints and whatever does not decode are refused without a name. Rule 133: gRPC
    lists resources of any type, each by its place and, if it could read it, its name.
    """
    if text.startswith(_GRPC):
        return _listed(text, names)
    head, separator, reasons = text.partition("(s) ")
    if not separator or not head.startswith("Error adding/updating"):
        return frozenset()
    return frozenset(
        name for name in names if reasons.startswith(f"{name}: ") or f", {name}: " in reasons
    )


def reason(text: str, name: str, names: Iterable[str]) -> str:
    """
    Return what a text says of one resource, or the whole text if that cannot be told apart.

    Args:
        text: What Envoy says.
        name: The resource.
        names: All resources that the text may be about.
    """
    head, _, reasons = text.partition("(s) ")
    if not head.startswith("Error adding/updating"):
        return text
    start = f", {reasons}".find(f", {name}: ")
    if start < 0:
        return text
    own = reasons[start + len(name) + 2 :]
    ends = [own.find(f", {other}: ") for other in names if other != name]
    return own[: min((end for end in ends if end >= 0), default=len(own))]


def _listed(text: str, names: Iterable[str]) -> frozenset[str]:
    """Find the names that gRPC lists, as `resource index 0: one: INVALID_ARGUMENT: reason`."""
    blamed = frozenset(entry.partition(": ")[0] for entry in _ENTRY.split(text)[1:])
    # One without a name may be any of them.
    return blamed if blamed <= frozenset(names) else frozenset()

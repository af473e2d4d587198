"""What a client is served in the place of what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.types import REFERS_TO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xds.snapshot import Resource, Snapshot
    from xds.verdicts import Content


def amend(
    snapshot: Snapshot,
    base_of: Callable[[Resource], Snapshot | None],
    refused: Iterable[Content],
) -> Snapshot:
    """
    Put what was accepted before in the place of what is refused.

    What the older resources need, and the snapshot no longer has, comes with them: a cluster that
    only a refused route table has given up is still in use (rules 87 and 107).

    Args:
        snapshot: The newest.
        base_of: Tells what was accepted before something that is refused; None for what is not
            refused. What was not there either is left out.
        refused: What that is; it need not be in the snapshot.
    """
    amendment = _Amendment(snapshot, base_of)
    for content in refused:
        resource = snapshot.get(content.type_url, content.name)
        base = base_of(resource) if resource is not None else None
        if resource is not None and base is not None:
            amendment.replace(resource, base)
    amendment.complete()
    edits = amendment.edits.items()
    return snapshot.updated(
        [resource for _, resource in edits if resource is not None],
        [key for key, resource in edits if resource is None],
    )


class _Amendment:
    """What is to be different in a snapshot."""

    def __init__(self, snapshot: Snapshot, base_of: Callable[[Resource], Snapshot | None]) -> None:
        self._snapshot = snapshot
        self._base_of = base_of
        self._required: list[tuple[Snapshot, str, str]] = []
        self.edits: dict[tuple[str, str], Resource | None] = {}
        """By type and name, what takes the place of what is refused, or is to be there besides."""

    def replace(self, resource: Resource, base: Snapshot) -> None:
        """Replace a refused resource by the one before, or by nothing."""
        if not self._take(base, resource.type_url, resource.name):
            self.edits[resource.type_url, resource.name] = None

    def complete(self) -> None:
        """Add what the replacements need and is not there."""
        while self._required:
            base, type_url, name = self._required.pop()
            if self.edits.get((type_url, name), self._snapshot.get(type_url, name)) is None:
                self._take(base, type_url, name)

    def _take(self, base: Snapshot, type_url: str, name: str) -> bool:
        former = base.get(type_url, name)
        if former is None or self._base_of(former) is not None:
            return False
        self.edits[type_url, name] = former
        target = REFERS_TO.get(type_url)
        if target is not None:
            self._required += ((base, target, each) for each in sorted(former.requires))
        return True

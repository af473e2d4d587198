"""What a client is served in the place of what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.types import REFERS_TO

if TYPE_CHECKING:
    from collections.abc import Callable

    from xds.snapshot import Resource, Snapshot


def amend(snapshot: Snapshot, base: Snapshot, refused: Callable[[Resource], bool]) -> Snapshot:
    """
    Put what was accepted before in the place of what is refused.

    What the older resources need, and the snapshot no longer has, comes with them: a cluster that
    only a refused route table has given up is still in use (rules 87 and 107).

    Args:
        snapshot: The newest.
        base: What the client, or anybody, has accepted as a whole. What it has not either is
            left out.
        refused: Tells what is refused.
    """
    changed: dict[str, dict[str, Resource]] = {}
    required: list[tuple[str, str]] = []

    def stand_in(resource: Resource) -> None:
        changed.setdefault(resource.type_url, dict(snapshot.given(resource.type_url)))[
            resource.name
        ] = resource
        if (target := REFERS_TO.get(resource.type_url)) is not None:
            required.extend((target, name) for name in resource.requires)

    for type_url in snapshot.types():
        given = base.given(type_url)
        for name, resource in snapshot.given(type_url).items():
            if not refused(resource):
                continue
            former = given.get(name)
            if former is not None and not refused(former):
                stand_in(former)
            else:
                changed.setdefault(type_url, dict(snapshot.given(type_url))).pop(name)
    while required:
        type_url, name = required.pop()
        there = changed.get(type_url) or snapshot.given(type_url)
        former = base.given(type_url).get(name)
        if name not in there and former is not None and not refused(former):
            stand_in(former)
    amended = snapshot
    for type_url, resources in changed.items():
        amended = amended.replace(type_url, resources.values())
    return amended

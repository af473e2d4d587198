"""Where one client stands with each resource of a type, as values."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xds.delivery import Delivery, Rejection
    from xds.snapshot import Resource, Snapshot


class Sync(StrEnum):
    """How far the newest version of a resource has come, in the words of CSDS."""

    SYNCED = "SYNCED"
    """It was sent and accepted."""
    STALE = "STALE"
    """It, or the removal of the resource, was sent and there is no verdict yet."""
    ERROR = "ERROR"
    """It was sent and refused."""
    NOT_SENT = "NOT_SENT"
    """It waits for something else, or there is none."""


class ClientView(StrEnum):
    """What a client has made of a resource so far, in the words of CSDS."""

    REQUESTED = "REQUESTED"
    """It wants it, and has accepted no version yet."""
    DOES_NOT_EXIST = "DOES_NOT_EXIST"
    """It wants it, and there is none."""
    ACKED = "ACKED"
    """It uses a version that it accepted."""
    NACKED = "NACKED"
    """It refused the newest version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The newest version of a resource, and why the client does not take it."""

    resource: Resource
    """What was refused."""
    text: str
    """The client's words, cleaned."""
    at: float
    """When it said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceState:
    """Where a client stands with one resource."""

    type_url: str
    name: str
    sync: Sync
    client: ClientView
    accepted: Resource | None
    """What it accepted last, and uses."""
    sent_at: float | None
    """When it was last sent a version that it did not have; None if not on this stream."""
    refusal: Refusal | None
    """Set if the newest version was refused, and what it has is older."""


def resource_states(
    delivery: Delivery, snapshot: Snapshot | None, *, epoch: float = 0.0
) -> Iterator[ResourceState]:
    """
    Return the state of each resource that a client has, wants or is being sent, sorted by name.

    The states are those of the moment of the call, however late the iterator is consumed: a
    client of ten thousand resources can be described piece by piece.

    Args:
        delivery: What is known of the client and the type.
        snapshot: What there is for the client.
        epoch: Is added to all times.
    """
    wants = delivery.subscription.wants
    there = snapshot.resources(delivery.type_url) if snapshot is not None else {}
    moment = _Moment(
        type_url=delivery.type_url,
        epoch=epoch,
        there=there,
        held=dict(delivery.held),
        acked=dict(delivery.acked),
        refused=dict(delivery.refused),
        sent_at=dict(delivery.sent_at),
    )
    for sent in delivery.in_flight.values():
        moment.under_way.update(sent.resources)
        moment.removals.update(sent.removed)
    names = sorted(
        dict.fromkeys(
            itertools.chain(
                filter(wants, there),
                delivery.subscription.names,
                moment.held,
                moment.acked,
                moment.under_way,
            )
        )
    )
    return map(moment.state, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A copy of what is known, since all of it may change while it is being told."""

    type_url: str
    epoch: float
    there: Mapping[str, Resource]
    held: Mapping[str, str | None]
    acked: Mapping[str, Resource]
    refused: Mapping[tuple[str, str], Rejection]
    sent_at: Mapping[str, float]
    under_way: dict[str, Resource] = field(default_factory=dict)
    removals: set[str] = field(default_factory=set)

    def state(self, name: str) -> ResourceState:
        at, refusal = self.sent_at.get(name), self._refusal(name)
        return ResourceState(
            type_url=self.type_url,
            name=name,
            sync=self._sync(name),
            client=self._client(name, refusal),
            accepted=self.acked.get(name),
            sent_at=None if at is None else at + self.epoch,
            refusal=refusal,
        )

    def _sync(self, name: str) -> Sync:
        newest, held, acked = self.there.get(name), self.held.get(name), self.acked.get(name)
        # What is no longer there may still be served, to outlive its last use (rule 88).
        version = held if newest is None else newest.version
        if version is None:
            return Sync.NOT_SENT if acked is None and name not in self.removals else Sync.STALE
        under_way = self.under_way.get(name)
        if under_way is not None and under_way.version == version:
            return Sync.STALE
        if (name, version) in self.refused:
            return Sync.ERROR
        if acked is not None and acked.version == version == held:
            return Sync.SYNCED
        # "" is what is about to be sent again, since the client may or may not have it.
        return Sync.STALE if held in {version, ""} else Sync.NOT_SENT

    def _client(self, name: str, refusal: Refusal | None) -> ClientView:
        if refusal is not None:
            return ClientView.NACKED
        if name in self.acked:
            return ClientView.ACKED
        if name in self.there or name in self.under_way:
            return ClientView.REQUESTED
        return ClientView.DOES_NOT_EXIST

    def _refusal(self, name: str) -> Refusal | None:
        newest = self.there.get(name)
        said = self.refused.get((name, newest.version)) if newest is not None else None
        if newest is None or said is None:
            return None
        return Refusal(resource=newest, text=said.text, at=said.at + self.epoch)

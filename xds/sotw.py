"""
The state-of-the-world protocol: a response of a collection says everything there is.

The rules by number are those of `docs/protocol.md`; this machine keeps 3, 6, 8 to 10, 19 to 36,
38 to 42, 44 to 49, and with `xds.sequence` 78 to 88, 101 and 113.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xds.exchange import ProtocolError, Receipt, RequestKind, Response
from xds.settlement import accept, reject, repeat
from xds.snapshot import Resource
from xds.stream import Stream
from xds.subscription import NO_NAMES
from xds.types import CLUSTER, COLLECTIONS, LOAD_ASSIGNMENT
from xds.wire import field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xds.delivery import Delivery
    from xds.snapshot import Snapshot
    from xds.stream import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwRequest:
    """What matters of a DiscoveryRequest."""

    type_url: str
    names: tuple[str, ...] = ()
    """All names that are wanted; see `xds.subscription`."""
    version: str = ""
    """The version that the client accepted last, on whatever stream."""
    nonce: str = ""
    """The last response of this type on this stream; empty before there is one."""
    error: str | None = None
    """Why the response with the nonce is refused: a NACK, and the only sign of one (rule 23)."""


class SotwStream(Stream[SotwRequest]):
    """
    The server's side of one state-of-the-world stream, without I/O.

    A client's first request of a type is always answered in full. The protocol would let us
    keep silent where the client already has the version of what we would send (rule 20), but
    after a NACK its state is neither the old nor the new one, while the version it tells is the
    old one; and an answer that changes nothing is cheap.
    """

    __slots__ = ()

    def receive(self, request: SotwRequest) -> list[Response]:
        """Take a request, and return the responses that it calls for."""
        now = self._clock()
        if not request.type_url:
            return self._not_subscribed(request.nonce)
        delivery = self._delivery(request.type_url)
        first, delivery.started = not delivery.started, True
        if first:
            delivery.look_at_all()
            delivery.resumed = bool(request.version)
            delivery.answer_owed = request.type_url in COLLECTIONS
            brought = self._brought(request)
            self._resume(request, now)
            receipt = Receipt(kind=RequestKind.FIRST, type_url=request.type_url, brought=brought)
        else:
            receipt = self._judge(delivery, request)
        self._subscribe(delivery, request.names, now)
        self._heard(receipt)
        return self._flush()

    def _brought(self, request: SotwRequest) -> dict[str, str]:
        """
        Tell what the client has accepted on an earlier stream, as far as its version tells.

        That of a collection is one of all its resources, and of other types that of the last
        response: of the one resource in it, or of nothing that anybody knows.
        """
        if not request.version or request.type_url not in COLLECTIONS:
            return dict.fromkeys(request.names, request.version) if request.version else {}
        for snapshot in (self._snapshot, self._before):
            if snapshot is not None and snapshot.version(request.type_url) == request.version:
                resources = snapshot.resources(request.type_url)
                return {name: resource.version for name, resource in resources.items()}
        return {}

    def _resume(self, request: SotwRequest, now: float) -> None:
        """
        Take what the first request of a type tells of an earlier stream.

        It does not tell which clusters the client has: those of the snapshot before, unless it
        tells the version of the newest ones (rule 88).
        """
        before = self._before
        if request.type_url == CLUSTER:
            self._before = None
            if self._snapshot is not None and request.version == self._snapshot.version(CLUSTER):
                before = self._snapshot
        if request.version and (request.type_url == CLUSTER or not self._sequence.resuming):
            self._sequence.resume(now, before)

    def _not_subscribed(self, nonce: str) -> list[Response]:
        """
        Take a request without a type.

        Rule 6: Envoy 1.40 answers so to a type that it does not want at the moment.
        """
        for delivery in self._deliveries.values():
            if nonce in delivery.in_flight:
                sent, _ = self._settle(delivery, nonce)
                repeat(delivery, sent)
                self._heard(Receipt(kind=RequestKind.STALE, type_url=delivery.type_url))
                return self._flush()
        raise ProtocolError("the request has no type_url")

    def _judge(self, delivery: Delivery, request: SotwRequest) -> Receipt:
        """Take a request as the verdict on a response, if it is one (rules 22 to 28)."""
        type_url = delivery.type_url
        if request.nonce not in delivery.in_flight:
            known = request.nonce == delivery.last_nonce
            kind = RequestKind.SUBSCRIBE if known else RequestKind.STALE
            return Receipt(kind=kind, type_url=type_url)
        sent, older = self._settle(delivery, request.nonce)
        if request.error is not None:
            rejected = reject(
                delivery,
                sent,
                request.error,
                older=older,
                complete=type_url in COLLECTIONS,
                now=self._clock(),
            )
            return Receipt(
                kind=RequestKind.NACK,
                type_url=type_url,
                rejected=rejected,
                text=delivery.rejection.text if delivery.rejection else "",
            )
        if request.version != sent.version:
            # Rule 23: no NACK, but the client had no use for the resources.
            repeat(delivery, sent)
            return Receipt(kind=RequestKind.STALE, type_url=type_url)
        if type_url in COLLECTIONS:
            delivery.acked = {}
            delivery.resumed, delivery.uncertain = False, NO_NAMES  # the response was everything
            older = ()
        acked: dict[str, str] = {}
        for each in (*older, sent):
            acked |= accept(delivery, each)
        if type_url in COLLECTIONS:
            delivery.forget_removed()
        return Receipt(kind=RequestKind.ACK, type_url=type_url, acked=acked)

    def _subscribe(self, delivery: Delivery, names: Iterable[str], now: float) -> None:
        """Take the names, whatever else the request is (rules 25 to 35)."""
        subscription = delivery.subscription
        before = subscription.wildcard, subscription.names
        added = subscription.replace(names)
        if before != (subscription.wildcard, subscription.names):
            delivery.resubscribed(*before)
            if subscription.wildcard and not before[0]:
                delivery.answer_owed = delivery.type_url in COLLECTIONS
            if not before[0]:
                self._ask(delivery, added, now, whole=delivery.type_url in COLLECTIONS)
        if delivery.answer_owed:
            delivery.dirty = True

    def _update(self, snapshot: Snapshot, delivery: Delivery, now: float) -> list[Response]:
        look = self._look(snapshot, delivery, now)
        changed = [
            resource
            for name, resource in look.wanted.items()
            if delivery.held.get(name) != resource.version
        ]
        if delivery.type_url in COLLECTIONS:
            return self._everything(snapshot, delivery, look, changed, now)
        return self._changes(snapshot, delivery, look, changed, now)

    def _everything(
        self,
        snapshot: Snapshot,
        delivery: Delivery,
        look: Look,
        changed: list[Resource],
        now: float,
    ) -> list[Response]:
        """Return the whole collection, if it differs from what the client has (rules 39, 40)."""
        held, names = delivery.held, look.names
        gone = {n for n in (held if names is None else names) if n in held and n not in look.wanted}
        asked = delivery.answer_owed or bool(delivery.owed)
        if not changed and gone <= delivery.blocked and not asked:
            delivery.looked_at((), (), look.lingering)
            return []
        held_back = [r for r in changed if self._sequence.holds_back(snapshot, r, now)]
        if held_back or (self._busy(delivery, now) and not asked):
            delivery.waiting = True
            return []
        wanted = look.wanted
        if names is not None:
            wanted = self._wanted(delivery, look.view, None, ordered=not look.lingering)
        for name in gone | (delivery.blocked - wanted.keys()):
            held.pop(name, None)
        held.update({resource.name: resource.version for resource in changed})
        delivery.forget_removed(names)
        delivery.looked_at((), (), look.lingering)
        delivery.owed = NO_NAMES
        delivery.answer_owed = False
        if delivery.type_url == CLUSTER:
            self._send_endpoints_behind(snapshot, changed)
        version = snapshot.version_of(delivery.type_url, wanted.values())
        return [self._respond(delivery, now, wanted.values(), version=version)]

    def _changes(
        self,
        snapshot: Snapshot,
        delivery: Delivery,
        look: Look,
        changed: list[Resource],
        now: float,
    ) -> list[Response]:
        """Return the resources that the client does not have yet (rules 29, 39 and 41)."""
        subscribed = delivery.subscription.names
        if delivery.type_url == LOAD_ASSIGNMENT:
            names = subscribed if look.names is None else subscribed.intersection(look.names)
            changed += [
                _no_endpoints(name)
                for name in sorted(names - look.wanted.keys())
                if not delivery.held.get(name)
            ]
        ready = self._ready(snapshot, delivery, changed, now)
        delivery.held.update({resource.name: resource.version for resource in ready})
        delivery.looked_at(changed, ready, look.lingering)
        together, alone = self._divide(delivery, ready)
        batches = [together] if together else []
        batches += [(resource,) for resource in alone]
        return [
            self._respond(
                delivery, now, batch, version=snapshot.version_of(delivery.type_url, batch)
            )
            for batch in batches
        ]


@functools.lru_cache(maxsize=1024)
def _no_endpoints(name: str) -> Resource:
    """
    Return an empty load assignment (`cluster_name` is field 1).

    Rules 36 and 83: a client may ask for endpoints that nobody knows, left over from before, and
    asks for nothing else until it gets an answer. Silence would cost it its full timeout.
    """
    return Resource.of(LOAD_ASSIGNMENT, name, field(1, name.encode()))

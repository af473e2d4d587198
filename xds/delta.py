"""
The incremental protocol: a response says what is different from what the client has.

The rules by number are those of `docs/protocol.md`; this machine keeps 3, 8 to 10, 54 to 73,
and with `xds.sequence` 78 to 88, 101 and 113.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xds.exchange import ProtocolError, Receipt, RequestKind, Response
from xds.settlement import accept, reject, repeat
from xds.stream import Stream
from xds.subscription import NO_NAMES
from xds.types import CLUSTER, COLLECTIONS, LOAD_ASSIGNMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xds.delivery import Delivery
    from xds.snapshot import Resource, Snapshot
    from xds.stream import Look


LARGE: Final = 1024 * 1024
"""
How many bytes of resources may share a response (rule 118). A client on Google's gRPC takes no
message of more than 4 MB unless it is told to.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRequest:
    """What matters of a DeltaDiscoveryRequest."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    """Names that the client wants from now on."""
    unsubscribe: tuple[str, ...] = ()
    """Names that it does not want any longer."""
    initial_versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What the client has from an earlier stream, by name; on the first request only."""
    nonce: str = ""
    """The response that this is the verdict on; empty if it is none."""
    error: str | None = None
    """Why the response is refused: a NACK."""


class DeltaStream(Stream[DeltaRequest]):
    """The server's side of one incremental stream, without I/O."""

    __slots__ = ()

    def receive(self, request: DeltaRequest) -> list[Response]:
        """Take a request, and return the responses that it calls for."""
        if not request.type_url:
            raise ProtocolError("the request has no type_url")
        now = self._clock()
        delivery = self._delivery(request.type_url)
        first, delivery.started = not delivery.started, True
        if first:
            delivery.look_at_all()
            self._resume(delivery, request.initial_versions, now)
        receipt = self._judge(delivery, request, first=first)
        self._subscribe(delivery, request, now, first=first)
        self._heard(receipt)
        return self._flush()

    def _resume(self, delivery: Delivery, versions: Mapping[str, str], now: float) -> None:
        """
        Take what the client already has (rules 54 and 55).

        Only what differs is sent, and what is gone is removed. What is under way on this stream
        is newer than what the client says.
        """
        delivery.held = {**versions, **delivery.held}
        for name, version in versions.items():
            resource = self._snapshot and self._snapshot.get(delivery.type_url, name)
            if resource is not None and resource.version == version:
                delivery.acked[name] = resource
        delivery.uncertain = frozenset(versions.keys() - delivery.acked.keys()) or NO_NAMES
        if delivery.type_url == CLUSTER:
            self._before = None
            if versions:
                self._sequence.resume(now)

    def _judge(self, delivery: Delivery, request: DeltaRequest, *, first: bool) -> Receipt:
        """Take a request as the verdict on a response, if it is one (rules 59, 60 and 73)."""
        type_url = delivery.type_url
        if request.nonce not in delivery.in_flight:
            if first:
                brought = request.initial_versions
                return Receipt(kind=RequestKind.FIRST, type_url=type_url, brought=brought)
            kind = RequestKind.STALE if request.nonce else RequestKind.SUBSCRIBE
            return Receipt(kind=kind, type_url=type_url)
        sent, older = self._settle(delivery, request.nonce)
        for each in older:
            # Rule 72: every response gets its own verdict, unless the client dropped it.
            repeat(delivery, each, but=sent.resources)
        if request.error is not None:
            rejected = reject(
                delivery, sent, request.error, older=older, complete=False, now=self._clock()
            )
            return Receipt(
                kind=RequestKind.NACK,
                type_url=type_url,
                rejected=rejected,
                text=delivery.rejection.text if delivery.rejection else "",
            )
        for name in sent.removed:
            delivery.acked.pop(name, None)
        delivery.uncertain = delivery.uncertain.difference(sent.removed) or NO_NAMES
        return Receipt(kind=RequestKind.ACK, type_url=type_url, acked=accept(delivery, sent))

    def _subscribe(
        self, delivery: Delivery, request: DeltaRequest, now: float, *, first: bool
    ) -> None:
        """Take the changes of the subscription, whatever else the request is (rules 60 to 66)."""
        subscription = delivery.subscription
        wildcard, names = subscription.wildcard, subscription.names
        subscription.update(request.subscribe, request.unsubscribe)
        if first or request.subscribe or request.unsubscribe:
            delivery.resubscribed(wildcard, names)
        if subscription.wildcard and not wildcard:
            # Rule 56: the client waits for this answer even if it is empty.
            delivery.answer_owed = delivery.type_url in COLLECTIONS
        asked = [name for name in request.subscribe if name in subscription.names]
        # Rule 61: who subscribes again has forgotten what it was sent.
        again = [name for name in asked if name in names]
        # Rule 63: who had asked twice and still asks once does not know what it has.
        again += [name for name in request.unsubscribe if name in names and subscription.wildcard]
        if again:
            delivery.repeat(again)
            delivery.owed |= frozenset(again)
        fresh = [name for name in asked if name not in names]
        if first:
            fresh = [name for name in fresh if name not in request.initial_versions]
        self._ask(delivery, fresh, now)

    def _update(self, snapshot: Snapshot, delivery: Delivery, now: float) -> list[Response]:
        look = self._look(snapshot, delivery, now)
        changed = [
            resource
            for name, resource in look.wanted.items()
            if delivery.held.get(name) != resource.version
        ]
        missing = self._missing(delivery, look)
        postponed = self._postponed(delivery, missing, now)
        removed = sorted(missing - postponed)
        ready = self._ready(snapshot, delivery, changed, now)
        for name in removed:
            delivery.held.pop(name, None)
            if name in delivery.subscription.names:
                delivery.held[name] = None
        if delivery.type_url in COLLECTIONS:
            delivery.forget_removed(look.names)
        delivery.held.update({resource.name: resource.version for resource in ready})
        delivery.looked_at(changed, ready, postponed | look.lingering)
        if delivery.type_url == CLUSTER:
            self._send_endpoints_behind(snapshot, ready)
        return self._differences(snapshot, delivery, ready, tuple(removed), now)

    def _missing(self, delivery: Delivery, look: Look) -> set[str]:
        """
        Return the names to be told that they do not exist.

        Rules 67 to 69: those that the client has, asks for just now, or waits for, unless it has
        been told; they stay subscribed to.
        """
        held, subscription = delivery.held, delivery.subscription
        names = look.names
        if names is None:
            names = subscription.names.union(held, delivery.owed)
        absent = [name for name in names if name not in look.wanted]
        gone = {n for n in absent if held.get(n) is not None and subscription.wants(n)}
        unknown = {
            n for n in absent if n not in held and (n in subscription.names or n in delivery.owed)
        }
        # What was refused does exist. Endpoints are waited for, whatever became of them.
        refused = NO_NAMES if delivery.type_url == LOAD_ASSIGNMENT else delivery.blocked
        return (gone | unknown) - refused

    def _postponed(self, delivery: Delivery, missing: set[str], now: float) -> set[str]:
        """
        Return the names that the client has to be told later that they do not exist.

        Of a client that comes from an earlier stream it is not known yet which clusters its routes
        lead to (rule 88).
        """
        postponed: set[str] = set()
        if self._busy(delivery, now):
            postponed = missing - delivery.owed
        elif delivery.type_url == CLUSTER and self._sequence.resuming:
            postponed = (missing & delivery.held.keys()) - delivery.owed
        delivery.waiting |= bool(postponed)
        return postponed

    def _differences(
        self,
        snapshot: Snapshot,
        delivery: Delivery,
        resources: Iterable[Resource],
        removed: tuple[str, ...],
        now: float,
    ) -> list[Response]:
        version = snapshot.version(delivery.type_url)
        together, alone = self._divide(delivery, resources)
        # Rule 57: Envoy goes on after the first response of a collection.
        whole = delivery.type_url in COLLECTIONS and not delivery.sent_version
        portions = [together] if whole else _portions(together)
        batches: list[tuple[tuple[Resource, ...], tuple[str, ...]]]
        batches = [(portion, ()) for portion in portions if portion]
        if together:
            batches[-1] = batches[-1][0], removed
        batches += [((resource,), ()) for resource in alone]
        if (removed and not together) or (delivery.answer_owed and not batches):
            batches.append(((), removed))
        delivery.answer_owed = False
        return [
            self._respond(delivery, now, batch, version=version, removed=names)
            for batch, names in batches
        ]


def _portions(resources: Iterable[Resource]) -> list[tuple[Resource, ...]]:
    """Divide what would be a large response (rule 118)."""
    portions: list[list[Resource]] = []
    size = LARGE
    for resource in resources:
        size += resource.size
        if size > LARGE or not portions:
            portions.append([])
            size = resource.size
        portions[-1].append(resource)
    return [tuple(portion) for portion in portions]

"""What the two protocols have in common: one stream's state, without I/O."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from xds.delivery import Delivery, Sent
from xds.exchange import Receipt, Response, TypeState
from xds.sequence import WAIT_FOR_CLUSTERS, Sequence
from xds.settlement import repeat
from xds.standing import resource_states
from xds.subscription import NO_NAMES
from xds.timing import Timing
from xds.types import CLUSTER, LOAD_ASSIGNMENT, ORDER, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from xds.snapshot import Resource, Snapshot
    from xds.standing import ResourceState

R = TypeVar("R")

_ORDERED: Final = frozenset(ORDER)
_NONCES: Final = 1000
"""How many nonces there are for each number of a snapshot; a stream that needs more goes on."""

ONE_EACH: Final = frozenset({ROUTE_CONFIGURATION})
"""
The types of which each resource has a response of its own: few, written by people, and refused
by Envoy without their name, so that only the nonce tells which one it was (rule 101).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What of one type is considered for an update."""

    names: frozenset[str] | None
    """The names; None if it is all of them."""
    lingering: frozenset[str]
    """What of the view has left the snapshot; to be looked at again and again."""
    view: Mapping[str, Resource]
    """What there is for the client by name, wanted or not."""
    wanted: Mapping[str, Resource]
    """What of it the client should have by now, sorted by name."""


class Stream(ABC, Generic[R]):
    """
    The state machine of one stream.

    Requests and snapshots go in, responses come out, in the order in which they have to be
    written. It is told the time by the clock it is made with, and `deadline` says when it wants
    to be asked again.
    """

    __slots__ = (
        "_before",
        "_clock",
        "_deliveries",
        "_heard",
        "_looked_at",
        "_only",
        "_responses",
        "_sequence",
        "_snapshot",
        "_taken",
        "_timing",
    )

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        heard: Callable[[Receipt], None] = lambda _: None,
        timing: Timing | None = None,
        before: Snapshot | None = None,
        only: str = "",
    ) -> None:
        """
        Begin a stream.

        Args:
            clock: Tells the time in seconds, from any beginning, and never goes back.
            heard: Is called for each request, before the responses to it exist.
            timing: How long to wait for what.
            before: The snapshot before the newest, of which the client may still have the
                clusters if it comes from an earlier stream.
            only: The single type that the stream carries; empty if it carries all.
        """
        self._only = only
        self._clock = clock
        self._heard = heard
        self._timing = timing or Timing()
        self._before = before
        """Kept only until the client has told which clusters it has."""
        self._snapshot: Snapshot | None = None
        self._deliveries: dict[str, Delivery] = {}
        self._sequence = Sequence(self._deliveries, self._timing)
        self._responses = 0
        self._taken = 0
        """The number of the last response that the client has read for sure."""
        self._looked_at = clock()
        """When everything due by then was last considered."""

    @property
    def deadline(self) -> float | None:
        """Return when `expire` has something to do, if nothing happens before."""
        return min((time for time in self._deadlines() if time > self._looked_at), default=None)

    def publish(self, snapshot: Snapshot, number: int = 0) -> list[Response]:
        """
        Take the newest snapshot, and return what the client has to be sent at this moment.

        Args:
            snapshot: What the client is to be served.
            number: Grows with each snapshot. Nonces are counted from there, whatever was sent
                before: streams that are sent the same have the same message.
        """
        self._responses = max(self._responses, number * _NONCES)
        before, self._snapshot = self._snapshot, snapshot
        changes = {} if before is None else snapshot.changes(before)
        for type_url, delivery in self._deliveries.items():
            if before is None:
                delivery.look_at_all()
                delivery.dirty = True
            elif type_url in changes:
                delivery.look_at(changes[type_url])
                delivery.dirty = True
        return self._flush()

    def expire(self, now: float) -> list[Response]:
        """Return what the client has to be sent because it has been waited for long enough."""
        for delivery in self._deliveries.values():
            for nonce, sent in list(delivery.in_flight.items()):
                if sent.doubted_at is not None and sent.doubted_at + self._timing.doubt <= now:
                    del delivery.in_flight[nonce]
                    repeat(delivery, sent)
        return self._flush()

    def forgive(self) -> list[Response]:
        """Forget what the client refused, and return what is tried once more."""
        for delivery in self._deliveries.values():
            if delivery.refused:
                delivery.refused = {}
                delivery.look_at_all()
                delivery.dirty = True
        return self._flush()

    def state(self) -> tuple[TypeState, ...]:
        """Return where the client stands, type by type."""
        return tuple(
            TypeState(
                type_url=delivery.type_url,
                wildcard=delivery.subscription.wildcard,
                subscribed=len(
                    delivery.held if delivery.subscription.wildcard else delivery.subscription.names
                ),
                sent_version=delivery.sent_version,
                acked_version=delivery.acked_version,
                pending=delivery.waiting or bool(delivery.in_flight),
                rejection=delivery.rejection,
            )
            for delivery in self._in_order()
            if delivery.started
        )

    def resources(self, *, epoch: float = 0.0) -> Iterator[ResourceState]:
        """
        Return where the client stands at this moment, resource by resource.

        Args:
            epoch: Is added to all times, which are the clock's.
        """
        return itertools.chain.from_iterable(
            [
                resource_states(delivery, self._snapshot, epoch=epoch)
                for delivery in self._in_order()
                if delivery.started
            ]
        )

    @abstractmethod
    def receive(self, request: R) -> list[Response]:
        """
        Take a request, and return the responses that it calls for.

        Raises:
            ProtocolError: The request does not tell what it is about.
        """

    @abstractmethod
    def _update(self, snapshot: Snapshot, delivery: Delivery, now: float) -> list[Response]:
        """Return what is to be sent of one type."""

    def _deadlines(self) -> Iterator[float]:
        yield from self._sequence.deadlines()
        for delivery in self._deliveries.values():
            for sent in delivery.in_flight.values():
                if delivery.waiting:
                    clusters = delivery.type_url == CLUSTER
                    yield sent.at + (self._timing.warming if clusters else self._timing.in_flight)
                if sent.doubted_at is not None:
                    yield sent.doubted_at + self._timing.doubt

    def _delivery(self, type_url: str) -> Delivery:
        delivery = self._deliveries.get(type_url)
        if delivery is None:
            delivery = self._deliveries[type_url] = Delivery(type_url=type_url)
        return delivery

    def _in_order(self) -> Iterator[Delivery]:
        for type_url in ORDER:
            # Clusters that are sent may be the first to need endpoints.
            delivery = self._deliveries.get(type_url)
            if delivery is not None:
                yield delivery
        for type_url in sorted(self._deliveries.keys() - _ORDERED):
            yield self._deliveries[type_url]

    def _flush(self) -> list[Response]:
        """Return everything that may be sent now, type after type."""
        self._looked_at = now = self._clock()
        responses: list[Response] = []
        if self._snapshot is None:
            return responses
        self._sequence.catch_up(self._snapshot, now)
        for delivery in self._in_order():
            if delivery.dirty or delivery.waiting:
                delivery.dirty = False
                delivery.waiting = self._sequence.lingers(delivery.type_url)
                responses += self._update(self._snapshot, delivery, now)
        return responses

    def _look(self, snapshot: Snapshot, delivery: Delivery, now: float) -> Look:
        """Look at what the client should have of one type by now, as far as that may be news."""
        there = snapshot.resources(delivery.type_url)
        lingering = self._sequence.lingering(snapshot, delivery.type_url, now)
        delivery.waiting |= self._sequence.lingers(delivery.type_url)
        if delivery.doubtful:
            delivery.look_at_all()
        view = {**lingering, **there} if lingering else there
        names: frozenset[str] | None = None
        if delivery.due is not None:
            names = delivery.owed.union(delivery.due, delivery.ahead, lingering)
        wanted = self._wanted(delivery, view, names, ordered=not lingering)
        if not delivery.in_flight:
            delivery.absolve()
        return Look(names=names, lingering=frozenset(lingering), view=view, wanted=wanted)

    def _wanted(
        self,
        delivery: Delivery,
        view: Mapping[str, Resource],
        names: frozenset[str] | None,
        *,
        ordered: bool,
    ) -> Mapping[str, Resource]:
        """
        Return what of a view the client should have by now, sorted by name.

        Args:
            delivery: What is known of the client and the type.
            view: What there is for it.
            names: What is to be returned; None for all.
            ordered: Whether the view is sorted.
        """
        wanted = view
        if names is not None:
            considered = sorted(names)
            wanted = {n: view[n] for n in considered if n in view and delivery.is_for_client(n)}
        elif not delivery.subscription.wildcard:
            considered = sorted(delivery.subscription.names | delivery.ahead)
            wanted = {name: view[name] for name in considered if name in view}
        elif not ordered:
            wanted = {name: view[name] for name in sorted(view)}
        return delivery.acceptable(wanted, view)

    def _busy(self, delivery: Delivery, now: float) -> bool:
        """
        Tell whether to wait for the verdict on the update before this one (rule 113).

        That on clusters comes when they are warm; they are in the client's hands as soon as it
        answers anything that was sent later (rule 82).
        """
        if delivery.type_url == CLUSTER:
            return delivery.busy(now - self._timing.warming, after=self._taken)
        return delivery.busy(now - self._timing.in_flight)

    def _settle(self, delivery: Delivery, nonce: str) -> tuple[Sent, tuple[Sent, ...]]:
        """Take the response with this nonce, and those before it, which it settles too."""
        self._taken = max(self._taken, int(nonce))
        return delivery.settle(nonce)

    def _ready(
        self, snapshot: Snapshot, delivery: Delivery, changed: Iterable[Resource], now: float
    ) -> list[Resource]:
        """Return what may be sent at once of a type whose responses need not be complete."""
        urgent = delivery.owed | delivery.ahead
        delivery.owed = delivery.ahead = NO_NAMES
        busy = self._busy(delivery, now)
        if not busy and delivery.type_url not in WAIT_FOR_CLUSTERS:
            return list(changed)
        ready = []
        for resource in changed:
            if (busy and resource.name not in urgent) or self._sequence.holds_back(
                snapshot, resource, now
            ):
                delivery.waiting = True
            else:
                ready.append(resource)
        return ready

    def _divide(
        self, delivery: Delivery, resources: Iterable[Resource]
    ) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
        """Return what may share a response, and what is to have one of its own."""
        if delivery.type_url in ONE_EACH:
            return (), tuple(resources)
        if not delivery.apart:
            return tuple(resources), ()
        together: list[Resource] = []
        alone: list[Resource] = []
        for resource in resources:
            (alone if resource.name in delivery.apart else together).append(resource)
        return tuple(together), tuple(alone)

    def _respond(
        self,
        delivery: Delivery,
        now: float,
        resources: Collection[Resource],
        *,
        version: str,
        removed: tuple[str, ...] = (),
    ) -> Response:
        """Make a response, and expect its verdict."""
        self._responses += 1
        nonce = str(self._responses)
        delivery.lost(now - self._timing.in_flight)
        by_name = {resource.name: resource for resource in resources}
        sent = Sent(version=version, resources=by_name, removed=removed, at=now)
        delivery.record(nonce, sent)
        self._sequence.sent(delivery.type_url, by_name)
        if delivery.apart:
            delivery.apart -= by_name.keys()
        return Response(
            type_url=delivery.type_url,
            nonce=nonce,
            version=version,
            resources=tuple(resources),
            removed=removed,
        )

    def _send_endpoints_behind(self, snapshot: Snapshot, clusters: Iterable[Resource]) -> None:
        """
        Have the endpoints of new and changed clusters sent next, unasked (rules 79 and 81).

        Envoy does not use a new or changed cluster before it is given the endpoints again, and
        does not ask for those it has already asked for. A client that names its clusters is
        not Envoy: it gets only what it asks for. Nor has a stream of clusters only any room for
        endpoints: they have streams of their own, which Envoy opens anew for a changed cluster.
        """
        if self._only:
            return
        delivery = self._delivery(LOAD_ASSIGNMENT)
        there = snapshot.resources(LOAD_ASSIGNMENT)
        names = {name for cluster in clusters for name in cluster.requires if name in there}
        if not self._delivery(CLUSTER).subscription.wildcard:
            names &= delivery.subscription.names
        if names:
            delivery.repeat(names)
            delivery.ahead |= names

    def _ask(
        self, delivery: Delivery, names: Iterable[str], now: float, *, whole: bool = False
    ) -> None:
        """
        Owe an answer for names, except where one is on its way.

        A client asks for the endpoints of the clusters it has just got before it reads the
        response behind them (rules 26 and 79).
        """
        owed: set[str] = set()
        asked = tuple(names)
        for name in asked:
            sent = delivery.under_way(name, whole=whole)
            if sent is None:
                delivery.held.pop(name, None)
                owed.add(name)
            else:
                delivery.held[name] = sent.resources[name].version
                sent.doubted_at = now if sent.doubted_at is None else sent.doubted_at
        delivery.look_at(asked)
        delivery.owed = delivery.owed.union(owed) if owed else delivery.owed

"""What one client was sent of one type, what is under way, and what it said to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xds.subscription import NO_NAMES, Subscription
from xds.types import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xds.snapshot import Resource

_LATE: Final = 8
"""How many responses of a type are remembered beyond the time for their verdict."""

_REFUSED: Final = 1000
"""How many refused versions of a type are remembered."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """A response without a verdict yet."""

    version: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...]
    at: float
    """When it was made."""
    doubted_at: float | None = None
    """When the client asked for what is in here, as if it had not got it."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """Resources of which at least one may be what a client refuses."""

    names: frozenset[str]
    or_else: bool
    """Whether one of them is, if there is none in the group before."""

    def halves(self) -> tuple[Suspects, Suspects]:
        """Divide the group."""
        ordered = sorted(self.names)
        middle = len(ordered) // 2
        return (
            Suspects(frozenset(ordered[:middle]), or_else=False),
            Suspects(frozenset(ordered[middle:]), or_else=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """The last NACK of a type, while nothing newer has been acknowledged."""

    version: str
    """The version of the response."""
    names: tuple[str, ...]
    """The resources at fault; empty while that is being found out."""
    text: str
    """The client's words, cleaned."""
    at: float
    """When it came, by the stream's clock."""


_NOTHING_REFUSED: Final[Mapping[tuple[str, str], Rejection]] = MappingProxyType({})
"""There are thousands of streams, and hardly any refuses anything."""


@dataclass(slots=True, eq=False)
class Delivery:
    """
    The state of one type on one stream.

    It dies with the stream (rules 9, 10, 12): nonces and what a client has got mean nothing on
    another one.
    """

    type_url: str
    subscription: Subscription = field(init=False)
    started: bool = False
    """Whether the client has asked for the type on this stream."""
    resumed: bool = False
    """Whether the client came with resources of this type from an earlier stream."""
    uncertain: frozenset[str] = NO_NAMES
    """
    The names under which the client may have a version that is not known: from an earlier stream,
    or from a response on which it gave no verdict before it refused a later one.
    """
    held: dict[str, str | None] = field(default_factory=dict)
    """
    The version that the client was sent of each resource, or said it has; empty where that is not
    known, None where it was told that there is none.
    """
    due: frozenset[str] | None = None
    """
    The names of which the client may not have what it should: only these are looked at for an
    update. None if it may be any, as before everything was looked at once.
    """
    acked: dict[str, Resource] = field(default_factory=dict)
    """What it has acknowledged; of a collection, without what has been removed since."""
    refused: Mapping[tuple[str, str], Rejection] = field(default_factory=lambda: _NOTHING_REFUSED)
    """
    Names and versions that it refused, the oldest first, with its words. None of them is ever sent
    again on this stream, also if the client unsubscribes and comes back (rules 24 and 103).
    """
    blocked: frozenset[str] = NO_NAMES
    """Names of which the newest version is a refused one."""
    doubtful: tuple[Suspects, ...] = ()
    """
    New resources of a refused collection of which nobody knows which is at fault, in groups that
    are tried one after the other: the first is in what the client is sent, the others wait
    (rule 102).
    """
    sent_at: dict[str, float] = field(default_factory=dict)
    """When it was last sent a version that it had not acknowledged, by name."""
    in_flight: dict[str, Sent] = field(default_factory=dict)
    """Responses by nonce, oldest first."""
    owed: frozenset[str] = NO_NAMES
    """Names that the client has asked for just now: to be answered whatever else waits."""
    answer_owed: bool = False
    """Whether to answer even if there is nothing to say."""
    ahead: frozenset[str] = NO_NAMES
    """Names that the client will ask for, since something it is being sent refers to them."""
    apart: frozenset[str] = NO_NAMES
    """Names that are to be sent in a response of their own, to find out which one is refused."""
    dirty: bool = False
    """Whether anything may have to be sent."""
    waiting: bool = False
    """Whether something was held back and has to be looked at again."""
    last_nonce: str = ""
    sent_version: str = ""
    acked_version: str = ""
    rejection: Rejection | None = None

    def __post_init__(self) -> None:
        self.subscription = Subscription(collection=self.type_url in COLLECTIONS)

    def record(self, nonce: str, sent: Sent) -> None:
        """Note a response that goes out."""
        self.in_flight[nonce] = sent
        self.last_nonce = nonce
        self.sent_version = sent.version
        acked = self.acked
        for name in [name for name, each in sent.resources.items() if acked.get(name) is not each]:
            if name not in acked or acked[name].version != sent.resources[name].version:
                self.sent_at[name] = sent.at
        if len(self.sent_at) > 2 * len(self.held):
            self.sent_at = {name: at for name, at in self.sent_at.items() if name in self.held}

    def lost(self, deadline: float) -> None:
        """
        Forget responses that were made long before a time, all but the last few.

        A late verdict counts, but a client that never gives one must not keep every version alive.
        """
        late = [nonce for nonce, sent in self.in_flight.items() if sent.at <= deadline]
        for nonce in late[:-_LATE]:
            del self.in_flight[nonce]

    def settle(self, nonce: str) -> tuple[Sent, tuple[Sent, ...]]:
        """Take out the response with this nonce, and those before it, which it settles too."""
        nonces = list(self.in_flight)
        older = tuple(self.in_flight.pop(each) for each in nonces[: nonces.index(nonce)])
        sent = self.in_flight.pop(nonce)
        if not self.in_flight:
            self.in_flight = {}  # one that was emptied keeps its room, in thousands of streams
        return sent, older

    def trust_later(self, sent: Sent) -> None:
        """Note that the client gave a verdict on a response: it was ready for those behind it."""
        for later in self.in_flight.values():
            if later.doubted_at is not None and not later.resources.keys().isdisjoint(
                sent.resources
            ):
                later.doubted_at = None

    def under_way(self, name: str, *, whole: bool = False) -> Sent | None:
        """
        Return the newest response without a verdict that has a resource of this name.

        Args:
            name: The name.
            whole: Whether a response without the resource removes it.
        """
        for sent in reversed(self.in_flight.values()):
            if name in sent.resources:
                return sent
            if whole or name in sent.removed:
                return None
        return None

    def busy(self, since: float, *, after: int = 0) -> bool:
        """
        Tell whether the client has resources to judge that were sent after a time.

        Removals do not count: a client that has unsubscribed meanwhile never answers them.

        Args:
            since: The time.
            after: The number of a response, those before which do not count either.
        """
        return any(
            sent.at > since and sent.resources and int(nonce) > after
            for nonce, sent in self.in_flight.items()
        )

    def is_for_client(self, name: str) -> bool:
        """Tell whether the client wants a name, or will once it has what it is being sent."""
        return self.subscription.wants(name) or name in self.ahead

    def holds(self, name: str) -> bool:
        """Tell whether the client may be using a resource of this name."""
        return self.resumed or self.held.get(name) is not None

    def look_at(self, names: Iterable[str]) -> None:
        """Have it considered for some names whether the client has what it should."""
        if self.due is not None:
            self.due = self.due.union(names) or NO_NAMES

    def look_at_all(self) -> None:
        """Have it considered for every name."""
        self.due = None

    def looked_at(
        self, changed: Sequence[Resource], sent: Sequence[Resource], others: Iterable[str]
    ) -> None:
        """
        Note that the client has what it should, or is being sent it.

        Args:
            changed: What it should have and did not.
            sent: What of it is sent now.
            others: The names that have to be looked at again besides what is not.
        """
        due = set(others)
        if len(sent) < len(changed):
            missing = {resource.name for resource in changed}
            due |= missing.difference(resource.name for resource in sent)
        self.due = frozenset(due) or NO_NAMES

    def in_use_of(self, name: str) -> Resource | None:
        """Return what the client uses under a name, or may begin to use any moment."""
        for sent in reversed(self.in_flight.values()):
            if name in sent.resources:
                return sent.resources[name]
        return self.acked.get(name)

    def forget_removed(self, names: Iterable[str] | None = None) -> None:
        """
        Forget that the client has acknowledged what has been taken away from it since.

        The removal need not be acknowledged for that: if the resource comes back meanwhile, the
        client has to warm it anew (rule 80).

        Args:
            names: What may have been taken away; None if it may be anything.
        """
        held = self.held
        for name in [n for n in (self.acked if names is None else names) if held.get(n) is None]:
            self.acked.pop(name, None)

    def repeat(self, names: Iterable[str]) -> None:
        """Have resources sent again, or removed: the client may or may not have them."""
        repeated = dict.fromkeys(names, "")
        self.held.update(repeated)
        self.look_at(repeated)
        self.dirty = True

    def refuse(self, versions: Mapping[str, str], rejection: Rejection) -> None:
        """Note what the client will never be sent again; it goes on with what it had."""
        self.refused = {**self.refused, **dict.fromkeys(versions.items(), rejection)}
        for name, version in versions.items():
            if self.held.get(name) not in {version, ""}:
                continue  # a newer one is under way
            if (last := self.acked.get(name)) is not None:
                self.held[name] = last.version
            elif self.subscription.wildcard and (self.resumed or name in self.uncertain):
                self.held[name] = ""  # it goes on with what it has, if it has any
            else:
                self.held.pop(name, None)
        oldest = list(self.refused)[:-_REFUSED]
        if oldest:
            self.refused = dict(list(self.refused.items())[-_REFUSED:])
        self.look_at(versions)
        self.look_at(name for name, _ in oldest)
        self.dirty = True

    def acceptable(
        self, wanted: Mapping[str, Resource], view: Mapping[str, Resource]
    ) -> Mapping[str, Resource]:
        """
        Return what the client would not refuse, as far as it has said so.

        The last version that it accepted stands in for one that it refused, and nothing if it
        accepted none.

        Args:
            wanted: What of all that it wants is looked at; all if anything is in doubt.
            view: What there is for it, wanted or not.
        """
        if not self.refused and not self.doubtful:
            self.blocked = NO_NAMES
            return wanted
        blocked = frozenset(
            name
            for name, version in self.refused
            if name in view and view[name].version == version and self.is_for_client(name)
        )
        self.blocked = blocked or NO_NAMES
        while self.doubtful and not any(map(self._is_new(wanted), self.doubtful[0].names)):
            self.doubtful = self.doubtful[1:]
        postponed = frozenset().union(*(group.names for group in self.doubtful[1:]))
        unacceptable = (postponed & wanted.keys()) | self.blocked
        if not unacceptable:
            return wanted
        return {
            name: self.acked[name] if name in unacceptable else resource
            for name, resource in wanted.items()
            if name not in unacceptable or name in self.acked
        }

    def _is_new(self, wanted: Mapping[str, Resource]) -> Callable[[str], bool]:
        def is_new(name: str) -> bool:
            if name not in wanted or name in self.blocked:
                return False
            return name not in self.acked or self.acked[name].version != wanted[name].version

        return is_new

    def absolve(self) -> None:
        """Call the rejection over if nothing that the client would refuse is to be sent."""
        if self.blocked or self.doubtful or self.apart or self.rejection is None:
            return
        self.rejection = None
        if not self.in_flight:
            # What was sent last was refused, and is not wanted any more.
            self.sent_version = self.acked_version

    def divide(self, names: Iterable[str]) -> None:
        """Have each half of some suspects tried by itself, before what is in doubt already."""
        others = tuple(replace(group, or_else=False) for group in self.doubtful[1:2])
        suspects = Suspects(frozenset(names), or_else=False)
        self.doubtful = (*suspects.halves(), *others, *self.doubtful[2:])
        self.look_at_all()

    def clear(self) -> None:
        """Take the group that was tried as innocent, and draw the conclusion for the next."""
        if self.doubtful:
            self.look_at_all()
        self.doubtful = self.doubtful[1:]
        if self.doubtful and self.doubtful[0].or_else and len(self.doubtful[0].names) > 1:
            self.doubtful = (*self.doubtful[0].halves(), *self.doubtful[1:])
        self.dirty |= bool(self.doubtful)

    def resubscribed(self, wildcard: bool, names: frozenset[str]) -> None:  # noqa: FBT001 - as there
        """
        Forget what the client has unsubscribed from (rule 30), and have the rest considered.

        Args:
            wildcard: Whether it wanted everything before.
            names: What else it wanted before.
        """
        if wildcard != self.subscription.wildcard:
            self.look_at_all()
        self.look_at(names ^ self.subscription.names)
        self.dirty = True
        wants = self.subscription.wants
        for kept in (self.held, self.acked, self.sent_at):
            if self.subscription.wildcard or kept.keys() <= self.subscription.names:
                continue
            for name in [name for name in kept if not wants(name)]:
                del kept[name]
        self.owed = frozenset(name for name in self.owed if wants(name)) or NO_NAMES

    def in_use(self) -> Iterator[Resource]:
        """Yield each resource that the client uses or may begin to use any moment."""
        yield from self.acked.values()
        for sent in self.in_flight.values():
            yield from sent.resources.values()

"""What a client asks for, of one type on one stream, in both protocols."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WILDCARD: Final = "*"
NO_NAMES: Final[frozenset[str]] = frozenset()
_FEW: Final = 8
"""So many names are likely to be those of other streams as well."""


class Subscription:
    """
    The names a client wants, or all of them.

    Envoy's xDS protocol, "How the client specifies what resources to return". A client of the old
    kind asks for everything by naming nothing: in the state-of-the-world protocol until it names
    something for the first time, in the incremental one until it unsubscribes from "*".
    """

    __slots__ = ("_nothing_means_all", "names", "wildcard")

    def __init__(self, *, collection: bool) -> None:
        """
        Begin with nothing asked for.

        Args:
            collection: Whether naming nothing means everything; for other types it is nothing.
        """
        self.wildcard = False
        """Whether everything is wanted."""
        self.names = NO_NAMES
        """The names that are wanted explicitly, beside or instead of everything."""
        self._nothing_means_all = collection

    def wants(self, name: str) -> bool:
        """Tell whether a resource of this name would be sent."""
        return self.wildcard or name in self.names

    def replace(self, names: Iterable[str]) -> frozenset[str]:
        """
        Take the list of a state-of-the-world request, and return the names that are new in it.

        Rules 31 to 34: an empty list is everything only as long as no list had a name; duplicates
        mean nothing.
        """
        listed = frozenset(names)
        if listed:
            self._nothing_means_all = False
        self.wildcard = WILDCARD in listed or self._nothing_means_all
        before, self.names = self.names, _shared(listed - {WILDCARD})
        return self.names - before

    def update(self, subscribe: Iterable[str], unsubscribe: Iterable[str]) -> frozenset[str]:
        """
        Take the lists of an incremental request, and return the names that are new.

        Rules 64 to 66: the legacy wildcard is a first request with neither list, and outlives
        added names; what is in both lists is unsubscribed from.
        """
        added, removed = frozenset(subscribe), frozenset(unsubscribe)
        if not added and not removed and not self._nothing_means_all:
            return NO_NAMES
        if self._nothing_means_all:
            self.wildcard = not added and not removed
            self._nothing_means_all = False
        self.wildcard = (self.wildcard or WILDCARD in added) and WILDCARD not in removed
        before, self.names = self.names, _shared((self.names | added) - removed - {WILDCARD})
        return self.names - before


def _shared(names: frozenset[str]) -> frozenset[str]:
    """Return the same object for the same few names: thousands of streams have them alike."""
    return _few(names) if 0 < len(names) <= _FEW else names or NO_NAMES


@functools.lru_cache(maxsize=1024)
def _few(names: frozenset[str]) -> frozenset[str]:
    return names

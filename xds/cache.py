"""The latest snapshot of every proxy, and who wants to know of the next."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xds.snapshot import Snapshot


class SnapshotCache:
    """
    The newest snapshot for each proxy.

    Streams are woken and take the newest snapshot when they are ready to send, so that a slow one
    skips what came in between and holds nobody up. There is no queue and no lock: all calls must
    come from the thread of the event loop.
    """

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._before: dict[str, Snapshot] = {}
        self._own: dict[str, dict[str, Snapshot]] = {}
        self._trials: dict[int, Snapshot] = {}
        self._watches: dict[str, dict[int, Callable[[], None]]] = {}
        self._next_watch = 0
        self._synced = False
        self.number = 0
        """Grows whenever anything else is to be served."""

    @property
    def synced(self) -> bool:
        """
        Tell whether the snapshots are to be believed.

        A snapshot made before every source was read would make clients delete what they
        have, so nobody is served until then (rule 15).
        """
        return self._synced

    @property
    def proxies(self) -> tuple[str, ...]:
        """Return the names of the proxies that have a snapshot, sorted."""
        return tuple(sorted(self._snapshots))

    def mark_synced(self) -> None:
        """Begin to serve."""
        self._synced = True

    def set(
        self,
        proxy: str,
        snapshot: Snapshot,
        own: Mapping[str, Snapshot] = MappingProxyType({}),
    ) -> None:
        """
        Replace the snapshot of a proxy, and wake its streams if it is another one.

        Args:
            proxy: The proxy.
            snapshot: What its clients are to be served.
            own: What single clients are to be served instead, by their id.
        """
        replaced = self._snapshots.get(proxy)
        if replaced == snapshot and self._own.get(proxy, {}) == own:
            return
        if replaced is not None and replaced != snapshot:
            self._before[proxy] = replaced
        self._snapshots[proxy] = snapshot
        self._own[proxy] = dict(own)
        self.number += 1
        self._wake(proxy)

    def try_out(self, proxy: str, stream: int, snapshot: Snapshot | None) -> None:
        """Serve one stream something else for the time being, or no longer if it is None."""
        if snapshot is not None:
            self._trials[stream] = snapshot
        elif self._trials.pop(stream, None) is None:
            return  # nothing was tried out, and nobody has to look again
        self.number += 1
        self._wake(proxy)

    def get(self, proxy: str, *, node: str = "", stream: int = 0) -> Snapshot | None:
        """
        Return the newest snapshot of a proxy, if it ever had one.

        Args:
            proxy: The proxy.
            node: The id of the client that asks.
            stream: The stream that asks.
        """
        trial = self._trials.get(stream)
        if trial is not None:
            return trial
        return self._own.get(proxy, {}).get(node) or self._snapshots.get(proxy)

    def _wake(self, proxy: str) -> None:
        for wake in tuple(self._watches.get(proxy, {}).values()):
            wake()

    def before(self, proxy: str) -> Snapshot | None:
        """Return the snapshot before the newest, which a client that comes back may still have."""
        return self._before.get(proxy)

    def watch(self, proxy: str, wake: Callable[[], None]) -> Callable[[], None]:
        """
        Have a function called whenever a proxy gets another snapshot.

        Args:
            proxy: The proxy, which need not have a snapshot yet.
            wake: Is called without arguments, and should do no more than wake somebody.

        Returns:
            The function that ends the watch.
        """
        self._next_watch += 1
        watch = self._next_watch
        self._watches.setdefault(proxy, {})[watch] = wake

        def end() -> None:
            watches = self._watches.get(proxy, {})
            watches.pop(watch, None)
            if not watches:
                self._watches.pop(proxy, None)

        return end

from __future__ import annotations

from typing import TYPE_CHECKING

from translator.emit.proxyless.backends import shares
from translator.reuse import changes, same

if TYPE_CHECKING:
    from translator import ir
    from translator.emit.proxyless.backends import Backend, Share


class Divider:
    """
    Divides the destinations of a proxy, and has the backends that come of it.

    What it takes over from the one before is divided anew only for clusters that changed, or whose
    endpoints did.
    """

    def __init__(self, proxy: ir.Proxy, before: Divider | None = None) -> None:
        """
        Get ready.

        Args:
            proxy: Whose destinations they are.
            before: One that is finished, of an earlier proxy or of another one.
        """
        self.backends: tuple[Backend, ...] = ()
        """Those that wanted destinations lead to, sorted by name; known when it is finished."""
        self.load_assignments: tuple[ir.LoadAssignment, ...] = ()
        """The endpoints of those that have any of their own."""
        self.moved: set[ir.Destination] = set()
        """The destinations that led to other backends before, or by other weights."""
        self._clusters = {each.name: each for each in proxy.clusters}
        self._assignments = {each.cluster: each for each in proxy.load_assignments}
        self._shares: dict[ir.Destination, tuple[Share, ...]] = {}
        self._differs = False
        """Whether other backends may be wanted than before."""
        if before is not None:
            self._take_over(before)

    def __call__(self, destination: ir.Destination) -> tuple[Share, ...]:
        """Divide a destination."""
        found = self._shares.get(destination)
        if found is None:
            found = self._shares[destination] = self._divide(destination)
            self._differs = True
        return found

    def finish(self, wanted: frozenset[ir.Destination]) -> None:
        """Forget all but these destinations, which were divided, now or before."""
        if len(self._shares) != len(wanted):
            for destination in set(self._shares) - wanted:
                del self._shares[destination]
            self._differs = True
        if self._differs:
            found = {
                share.backend.name: share for divided in self._shares.values() for share in divided
            }
            ordered = [found[name] for name in sorted(found)]
            self.backends = tuple([share.backend for share in ordered])
            self.load_assignments = tuple(
                [share.assignment for share in ordered if share.assignment is not None]
            )

    def _take_over(self, before: Divider) -> None:
        self.backends, self.load_assignments = before.backends, before.load_assignments
        self._shares = dict(before._shares)
        changed = changes(self._clusters, before._clusters) | changes(
            self._assignments, before._assignments
        )
        if not changed:
            return
        for destination in [each for each in self._shares if each.cluster in changed]:
            then = self._shares[destination]
            if destination.cluster not in self._clusters:
                del self._shares[destination]
                self._differs = True
                self.moved.add(destination)
                continue
            now = self._shares[destination] = same(self._divide(destination), then)
            self._differs |= now is not then
            if _weights(now) != _weights(then):
                self.moved.add(destination)

    def _divide(self, destination: ir.Destination) -> tuple[Share, ...]:
        assignment = self._assignments.get(destination.cluster)
        discovered = () if assignment is None else assignment.endpoints
        return shares(self._clusters[destination.cluster], discovered, destination)


def _weights(divided: tuple[Share, ...]) -> list[tuple[str, int]]:
    return [(share.backend.name, share.weight) for share in divided]

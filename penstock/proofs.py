"""Which of the things that were served Envoy has accepted entirely."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from translator.policy import Proven
from xds.snapshot import Snapshot
from xds.types import CLUSTER, LISTENER, ROUTE_CONFIGURATION
from xds.verdicts import Content

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from translator import ir
    from translator.policy import Good, Memory, ProxyMemory
    from translator.report import ResourceRef
    from xds.snapshot import Resource
    from xds.verdicts import Verdicts

__all__ = ["Proof", "Proofs", "content_of", "holds"]

_JUDGED: Final = (CLUSTER, LISTENER, ROUTE_CONFIGURATION)
"""Endpoints come and go all the time; nobody goes back to old ones."""

_NOTHING: Final = Snapshot.of(())
_PENDING: Final = 8
_PROVEN: Final = 4
"""How many of the newest are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Something that was served, with what the translator knew then."""

    snapshot: Snapshot
    memory: ProxyMemory | None = None
    """None if an earlier process saw it accepted, and its memory was not read yet."""
    resources: Mapping[ResourceRef, Good] = field(default_factory=dict)
    """All that were good."""

    @property
    def proxy(self) -> ir.Proxy | None:
        """What the snapshot was encoded from, if that is known."""
        return self.memory.served if self.memory is not None else None

    @property
    def proven(self) -> Proven | None:
        """What the translator needs to know of it."""
        if self.memory is None:
            return None
        return Proven(proxy=self.memory, resources=self.resources)


class Proofs:
    """The newest things that one proxy was served, as far as they are of interest."""

    def __init__(self, verdicts: Verdicts) -> None:
        """
        Begin without a past.

        Args:
            verdicts: What anybody has accepted.
        """
        self._verdicts = verdicts
        self._pending: deque[tuple[Proof, set[Content]]] = deque(maxlen=_PENDING)
        """Those that are not accepted entirely, each with what is missing."""
        self._proven: deque[Proof] = deque(maxlen=_PROVEN)

    @property
    def newest(self) -> Proof | None:
        """The newest that was accepted entirely."""
        return self._proven[-1] if self._proven else None

    def newest_without(self, contents: frozenset[Content]) -> Proof | None:
        """Return the newest of those accepted that has none of some contents."""
        for proof in reversed(self._proven):
            if not any(holds(proof.snapshot, content) for content in contents):
                return proof
        return None

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield all that are remembered, the newest first."""
        for proof, _ in reversed(self._pending):
            yield proof.snapshot
        for proof in reversed(self._proven):
            yield proof.snapshot

    def serve(self, name: str, snapshot: Snapshot, memory: Memory) -> bool:
        """
        Take what is served from now on.

        Args:
            name: The proxy.
            snapshot: What it is served.
            memory: What the translator knows.

        Returns:
            Whether it is accepted already.
        """
        if name not in memory.proxies:
            return False
        proof = Proof(snapshot=snapshot, memory=memory.proxies[name], resources=memory.resources)
        self._pending.append((proof, self._missing(snapshot)))
        return self._advance()

    def restore(self, snapshot: Snapshot) -> None:
        """Take what an earlier process saw accepted."""
        self._proven.append(Proof(snapshot=snapshot))

    def recall(self, proven: Proven) -> None:
        """Take what an earlier process knew when it saw it accepted."""
        if self._proven and self._proven[-1].memory is None:
            self._proven[-1] = Proof(
                snapshot=self._proven[-1].snapshot,
                memory=proven.proxy,
                resources=proven.resources,
            )

    def accept(self, contents: Collection[Content]) -> bool:
        """Note that contents were accepted, and tell whether that completes anything."""
        for _, missing in self._pending:
            missing.difference_update(contents)
        return self._advance()

    def _advance(self) -> bool:
        for index in reversed(range(len(self._pending))):
            proof, missing = self._pending[index]
            if not missing:
                self._proven.append(proof)
                newer = list(self._pending)[index + 1 :]
                self._pending.clear()
                self._pending.extend(newer)
                return True
        return False

    def _missing(self, snapshot: Snapshot) -> set[Content]:
        """List what of a snapshot nobody has accepted; most is known of the snapshot before."""
        if self._pending:
            before, missing = self._pending[-1][0].snapshot, set(self._pending[-1][1])
        elif self._proven:
            before, missing = self._proven[-1].snapshot, set()
        else:
            before, missing = _NOTHING, set()
        changes = snapshot.changes(before)
        for type_url in _JUDGED:
            for name in changes.get(type_url, ()):
                old, new = before.get(type_url, name), snapshot.get(type_url, name)
                if old is not None:
                    missing.discard(content_of(old))
                if new is not None and not self._verdicts.accepted(content := content_of(new)):
                    missing.add(content)
        # What was accepted then may have been refused by all since.
        missing.update(
            content
            for content in self._verdicts.refused_by_all_contents
            if content.type_url in _JUDGED and holds(snapshot, content)
        )
        return missing


def content_of(resource: Resource) -> Content:
    """Name the content of a resource."""
    return Content(resource.type_url, resource.name, resource.content)


def holds(snapshot: Snapshot, content: Content) -> bool:
    """Tell whether a snapshot has a resource with exactly this content."""
    resource = snapshot.resources(content.type_url).get(content.name)
    return resource is not None and resource.content == content.content

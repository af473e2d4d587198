"""Which of the things that were served Envoy has accepted entirely."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from translator.policy import WHOLE_KINDS, Proven
from xds.types import CLUSTER, LISTENER, ROUTE_CONFIGURATION
from xds.verdicts import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from translator import ir
    from translator.policy import Memory
    from xds.snapshot import Resource, Snapshot

__all__ = ["Proof", "Proofs", "content_of", "holds"]

_JUDGED: Final = (CLUSTER, LISTENER, ROUTE_CONFIGURATION)
"""Endpoints come and go all the time; nobody goes back to old ones."""

_PENDING: Final = 8
_PROVEN: Final = 4
"""How many of the newest are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Something that was served, with what the translator knew then."""

    snapshot: Snapshot
    proven: Proven | None
    """None if an earlier process saw it accepted, and its memory was not read yet."""

    @property
    def proxy(self) -> ir.Proxy | None:
        """What the snapshot was encoded from, if that is known."""
        return self.proven.proxy.served if self.proven is not None else None


class Proofs:
    """The newest things that one proxy was served, as far as they are of interest."""

    def __init__(self, accepted: Callable[[Content], bool]) -> None:
        """
        Begin without a past.

        Args:
            accepted: Tells whether anybody has accepted a content.
        """
        self._accepted = accepted
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
        resources = {ref: good for ref, good in memory.resources.items() if ref.kind in WHOLE_KINDS}
        proof = Proof(
            snapshot=snapshot, proven=Proven(proxy=memory.proxies[name], resources=resources)
        )
        self._pending.append((proof, set(self._missing(snapshot))))
        return self._advance()

    def restore(self, snapshot: Snapshot) -> None:
        """Take what an earlier process saw accepted."""
        self._proven.append(Proof(snapshot=snapshot, proven=None))

    def recall(self, proven: Proven) -> None:
        """Take what an earlier process knew when it saw it accepted."""
        if self._proven and self._proven[-1].proven is None:
            self._proven[-1] = replace(self._proven[-1], proven=proven)

    def accept(self, content: Content) -> bool:
        """Note that a content was accepted, and tell whether that completes anything."""
        for _, missing in self._pending:
            missing.discard(content)
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

    def _missing(self, snapshot: Snapshot) -> Iterator[Content]:
        for type_url in _JUDGED:
            for resource in snapshot.given(type_url).values():
                content = content_of(resource)
                if not self._accepted(content):
                    yield content


def content_of(resource: Resource) -> Content:
    """Name the content of a resource."""
    return Content(resource.type_url, resource.name, resource.content)


def holds(snapshot: Snapshot, content: Content) -> bool:
    """Tell whether a snapshot has a resource with exactly this content."""
    resource = snapshot.given(content.type_url).get(content.name)
    return resource is not None and resource.content == content.content

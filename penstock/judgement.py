"""What follows from the words of Envoys, as a value that a reload takes and a store keeps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.proofs import Proof
    from translator.policy import Memory, Proven, Refusal
    from xds.snapshot import Snapshot
    from xds.verdicts import Content, Verdict

__all__ = ["Judgement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Everything that is known of what Envoys accept and refuse."""

    refusals: Mapping[Refusal, Content] = field(default_factory=lambda: MappingProxyType({}))
    """What the translator has to treat as invalid, and the content of which it was found out."""
    proofs: Mapping[str, Proof] = field(default_factory=lambda: MappingProxyType({}))
    """By proxy, the newest past that was accepted entirely."""
    bases: Mapping[str, Snapshot] = field(default_factory=lambda: MappingProxyType({}))
    """By proxy, what was served then."""
    own: Mapping[tuple[str, str], Snapshot] = field(default_factory=lambda: MappingProxyType({}))
    """By proxy and the id of an Envoy that refuses what others accept, what that one accepted."""
    former: Mapping[tuple[str, Content], Snapshot] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """By proxy and content that all refuse, what was accepted before."""
    verdicts: Mapping[Content, Verdict] = field(default_factory=dict)
    """Who said what to which content."""

    @property
    def proven(self) -> Mapping[str, Proven]:
        """By proxy, the translator's memory of that past."""
        known = {name: proof.proven for name, proof in self.proofs.items()}
        return {name: proven for name, proven in known.items() if proven is not None}

    def inform(self, memory: Memory) -> Memory:
        """Return what the translator knows, with the newest that Envoys have accepted."""
        return replace(memory, proven={**memory.proven, **self.proven})

"""
What clients have said to each version of each resource, and whom a refusal concerns.

A verdict is about content: the same bytes under another version, or of another proxy, are the same
thing. Times are given, so there is no clock in here; nor is there any I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NODES: Final = 8
"""How many of those who accepted something are remembered by name."""


_NOBODY: Final[Mapping[str, Refusing]] = MappingProxyType({})


class Content(NamedTuple):
    """One version of one resource."""

    type_url: str
    name: str
    content: str
    """The hash of the type and the body (`xds.snapshot.Resource.content`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who said something."""

    node: str
    """The client's id."""
    agent: str
    """Its kind and version, such as `envoy 1.40.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusing:
    """One client's refusal of one content."""

    agent: str
    """The client's kind and version."""
    text: str
    """Its words, cleaned."""
    first: float
    """When it refused for the first time, in seconds since 1970."""
    last: float
    """When it did last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    Everything that was said to a content; a value, which ten thousand contents may share.

    A client accepts a whole collection at once. So contents of which the same was said have the
    very same verdict, and what becomes of it is made once for all of them.
    """

    first: float
    """When anybody said anything, in seconds since 1970."""
    last: float
    """When somebody did last."""
    agents: frozenset[str] = frozenset()
    """The kinds and versions of clients that accepted it."""
    nodes: tuple[str, ...] = ()
    """The ids of those that accepted it first."""
    refused: Mapping[str, Refusing] = field(default_factory=lambda: _NOBODY)
    """Who refused it, by the client's id."""
    by_all: bool = False
    """Whether it counts as refused by everybody; see `Verdicts`."""


class Verdicts:
    """
    The verdicts of all clients.

    **Whom a refusal concerns** (rules 103 and 106). A client that refuses something never gets it
    again. It is refused for everybody, also for clients to come, once no other client of the
    proxy is connected, or once a second one refuses it too, unless a client that is connected is of
    a kind and version that has accepted it. So an odd one never holds back the fleet, a fleet need
    not be hit one by one, and an old acceptance does not protect what no one accepts any more. An
    acceptance that comes later makes it the matter of those who refused. When clients leave, what
    was accepted by anybody stays the matter of those who refused: a fleet that restarts leaves
    its odd one alone for moments.
    """

    def __init__(self) -> None:
        self._verdicts: dict[Content, Verdict] = {}
        self._disputed: set[Content] = set()
        """Those that anybody refuses: few, whatever there is."""

    def accept(self, content: Content, voice: Voice, now: float) -> bool:
        """Note an acceptance, and tell whether anything follows from it."""
        return bool(self.accept_all((content,), voice, now))

    def accept_all(
        self, contents: Iterable[Content], voice: Voice, now: float
    ) -> tuple[Content, ...]:
        """Note acceptances, perhaps ten thousand, and return those that anything follows from."""
        made: dict[int, tuple[Verdict | None, Verdict, bool]] = {}
        news: list[Content] = []
        for content in contents:
            before = self._verdicts.get(content)
            known = made.get(id(before))
            if known is None:
                # With the one before, so that nothing else gets its id.
                known = made[id(before)] = (before, *_accepted(before, voice, now))
            _, self._verdicts[content], changed = known
            if changed:
                news.append(content)
                if content in self._disputed and not self._verdicts[content].refused:
                    self._disputed.discard(content)
        return tuple(news)

    def refuse(
        self, content: Content, voice: Voice, text: str, now: float, others: Mapping[str, str]
    ) -> None:
        """
        Note a refusal.

        Args:
            content: What is refused.
            voice: By whom.
            text: In which words.
            now: When, in seconds since 1970.
            others: The clients of the proxy that are connected, their kinds and versions by id.
        """
        verdict = self._verdicts.get(content) or Verdict(first=now, last=now)
        self._disputed.add(content)
        before = verdict.refused.get(voice.node)
        refusing = Refusing(
            agent=voice.agent, text=text, first=before.first if before else now, last=now
        )
        verdict = replace(
            verdict,
            last=now,
            # The newest last.
            refused={**_without(verdict.refused, voice.node), voice.node: refusing},
            nodes=tuple(node for node in verdict.nodes if node != voice.node),
        )
        self._verdicts[content] = _judged(verdict, others)

    def left(self, others: Mapping[str, str]) -> bool:
        """
        Think again after a client is gone, and tell whether anything follows from it.

        Args:
            others: The clients of its proxy that are still connected.
        """
        changed = False
        for content in self._disputed:
            verdict = self._verdicts[content]
            if verdict.by_all or verdict.agents or verdict.refused.keys().isdisjoint(others):
                continue
            self._verdicts[content] = _judged(verdict, others)
            changed |= self._verdicts[content].by_all
        return changed

    def accepted(self, content: Content) -> bool:
        """Tell whether any client has accepted a content, and not all refuse it by now."""
        verdict = self._verdicts.get(content)
        return verdict is not None and bool(verdict.agents) and not verdict.by_all

    def refused_by_all(self, content: Content) -> bool:
        """Tell whether a content is not to be sent to anybody."""
        verdict = self._verdicts.get(content)
        return verdict is not None and verdict.by_all

    @property
    def refused_by_all_contents(self) -> frozenset[Content]:
        """Everything that is not to be sent to anybody."""
        return frozenset(each for each in self._disputed if self._verdicts[each].by_all)

    @property
    def any_disputed(self) -> bool:
        """Whether anybody refuses anything."""
        return bool(self._disputed)

    def disputed(self, content: Content) -> bool:
        """Tell whether anybody refuses a content."""
        return content in self._disputed

    def __len__(self) -> int:
        """Count the contents that anything was said to."""
        return len(self._verdicts)

    def refusers(self) -> Mapping[str, frozenset[Content]]:
        """Return what each client refuses while others do not, by the client's id."""
        found: dict[str, set[Content]] = {}
        for content in self._disputed:
            verdict = self._verdicts[content]
            if not verdict.by_all:
                for node in verdict.refused:
                    found.setdefault(node, set()).add(content)
        return {node: frozenset(contents) for node, contents in found.items()}

    def get(self, content: Content) -> Verdict | None:
        """Return what was said to a content."""
        return self._verdicts.get(content)

    def all(self) -> Mapping[Content, Verdict]:
        """Return everything that was said until now; a copy, which is made in no time."""
        return self._verdicts.copy()

    def restore(self, content: Content, verdict: Verdict) -> None:
        """Take a verdict from an earlier time."""
        self._verdicts[content] = verdict
        if verdict.refused:
            self._disputed.add(content)

    def forgive(self) -> None:
        """Forget all refusals, so that everything may be tried once more."""
        for content in self._disputed:
            verdict = self._verdicts[content]
            if verdict.agents:
                self._verdicts[content] = replace(verdict, refused=_NOBODY, by_all=False)
            else:
                del self._verdicts[content]
        self._disputed.clear()

    def retain(self, contents: frozenset[Content], *, refused: int) -> None:
        """
        Forget what was said to anything else.

        Args:
            contents: What is still of interest.
            refused: How many other contents that are refused are remembered, the newest.
        """
        others = [each for each in self._verdicts if each not in contents]
        disputed = [each for each in others if each in self._disputed]
        disputed.sort(key=lambda each: self._verdicts[each].last)
        kept = set(disputed[-refused:])
        for content in others:
            if content not in kept:
                del self._verdicts[content]
                self._disputed.discard(content)


def _accepted(verdict: Verdict | None, voice: Voice, now: float) -> tuple[Verdict, bool]:
    """Return what becomes of a verdict by an acceptance, and whether anything follows from it."""
    if verdict is None:
        agents = frozenset({voice.agent})
        return Verdict(first=now, last=now, agents=agents, nodes=(voice.node,)), True
    nodes, refused = verdict.nodes, verdict.refused
    if voice.node not in nodes and len(nodes) < NODES:
        nodes = (*nodes, voice.node)
    if voice.node in refused:
        refused = _without(refused, voice.node)
    accepted = replace(
        verdict,
        last=now,
        agents=verdict.agents | {voice.agent},
        nodes=nodes,
        refused=refused,
        by_all=False,
    )
    return accepted, not verdict.agents or verdict.by_all or voice.node in verdict.refused


def _judged(verdict: Verdict, others: Mapping[str, str]) -> Verdict:
    """Decide whether something counts as refused by everybody; see `Verdicts`."""
    undecided = [agent for node, agent in others.items() if node not in verdict.refused]
    by_all = not undecided or (len(verdict.refused) > 1 and verdict.agents.isdisjoint(undecided))
    return replace(verdict, by_all=by_all)


def _without(refused: Mapping[str, Refusing], node: str) -> dict[str, Refusing]:
    return {other: each for other, each in refused.items() if other != node}

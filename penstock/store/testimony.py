"""What Envoys have said, written and read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from translator.policy import Refusal, Subject
from translator.report import ResourceRef
from xds.verdicts import Content, Refusing, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.store.packs import Entry
    from translator.ir.plain import Plain

__all__ = [
    "Said",
    "Testimony",
    "decode_verdict",
    "encode_said",
    "name_of",
    "plain_refusals",
    "read_refusals",
]

_EVERY: Final = 5.0
"""Seconds for which acceptances may be missing on disk; refusals never are."""


class Said(NamedTuple):
    """What is kept of a verdict, as it was at one moment."""

    first: float
    last: float
    """When anybody said anything last if it is refused, else when they did first: a fleet says
    again and again that it accepts everything, and nobody asks when it did last."""
    agents: frozenset[str]
    nodes: tuple[str, ...]
    refused: tuple[tuple[str, Refusing], ...]
    by_all: bool

    @classmethod
    def of(cls, verdict: Verdict) -> Said:
        """Take down a verdict."""
        return cls(
            verdict.first,
            verdict.last if verdict.refused else verdict.first,
            verdict.agents,
            verdict.nodes,
            tuple(verdict.refused.items()),
            verdict.by_all,
        )


class Testimony:
    """Takes down all verdicts, again and again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._taken: Mapping[Content, Said] = {}
        self._refused: frozenset[tuple[Content, str]] = frozenset()
        self._at = float("-inf")

    def take(self, verdicts: Iterable[tuple[Content, Verdict]]) -> Mapping[Content, Said]:
        """Return all verdicts as they are, or as they were moments ago."""
        every = tuple(verdicts)
        refused = frozenset(
            (content, node) for content, each in every if each.refused for node in each.refused
        )
        now = self._monotonic()
        if refused != self._refused or now - self._at >= _EVERY:
            self._taken = {content: Said.of(each) for content, each in every}
            self._refused, self._at = refused, now
        return self._taken


def name_of(content: Content) -> str:
    """Name a content in one text; only its last part may have tabs in it."""
    return f"{content.type_url}\t{content.content}\t{content.name}"


def encode_said(said: Said) -> Entry:
    """Write what was said to a content."""
    refused: list[Plain] = [
        cast("Plain", [node, each.agent, each.text, each.first, each.last])
        for node, each in said.refused
    ]
    note = [said.first, said.last, sorted(said.agents), said.nodes, refused, said.by_all]
    return cast("Plain", note), b""


def decode_verdict(name: str, note: Plain) -> tuple[Content, Verdict]:
    """
    Read what `encode_said` wrote.

    Raises:
        ValueError: It is something else.
        TypeError: Likewise.
    """
    type_url, content, own = name.split("\t", 2)
    first, last, agents, nodes, refused, by_all = cast("tuple[Any, ...]", note)
    verdict = Verdict(
        first=first,
        last=last,
        agents=frozenset(agents),
        nodes=tuple(nodes),
        refused={
            node: Refusing(agent=agent, text=text, first=begin, last=end)
            for node, agent, text, begin, end in refused
        },
        by_all=by_all,
    )
    return Content(type_url, own, content), verdict


def plain_refusals(refusals: Mapping[Refusal, Content]) -> Plain:
    """Write who is at fault, and of which content that was found out."""
    return [
        [
            *(str(each.subject), each.owner.kind, each.owner.namespace, each.owner.name),
            *(each.content, each.text, each.by),
            *content,
        ]
        for each, content in sorted(refusals.items())
    ]


def read_refusals(plain: Plain) -> dict[Refusal, Content]:
    """Read what `plain_refusals` wrote, as far as it makes sense."""
    found: dict[Refusal, Content] = {}
    for each in plain if isinstance(plain, list) else ():
        match each:
            case [
                str(subject),
                str(kind),
                str(namespace),
                str(name),
                str(digest),
                str(text),
                str(by),
                str(type_url),
                str(of),
                str(content),
            ] if subject in set(Subject):
                refusal = Refusal(
                    subject=Subject(subject),
                    owner=ResourceRef(kind, namespace, name),
                    content=digest,
                    text=text,
                    by=by,
                )
                found[refusal] = Content(type_url, of, content)
    return found

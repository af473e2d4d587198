"""What Envoys have said, written and read."""

from __future__ import annotations

import functools
import sys
import time
from itertools import chain, compress, repeat
from operator import attrgetter, ne
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from penstock.store.comparing import in_common
from translator.policy import Refusal, Subject
from translator.report import ResourceRef
from xds.verdicts import Content, Refusing, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.store.packs import Entry
    from translator.ir.plain import Plain

__all__ = [
    "Said",
    "VerdictRecord",
    "decode_verdict",
    "encode_said",
    "name_of",
    "plain_refusals",
    "read_refusals",
]

_EVERY: Final = 5.0
"""Seconds for which acceptances may be missing on disk; refusals never are."""


Said: TypeAlias = "tuple[float, frozenset[str], tuple[str, ...], Mapping[str, Refusing], bool]"
"""What is kept of a verdict. When it was accepted last is not: a fleet says so of everything, again
and again, and nobody asks."""

_said: Final[Callable[[Verdict], Said]] = attrgetter(
    "first", "agents", "nodes", "refused", "by_all"
)
_NOBODY: Final[Mapping[str, Refusing]] = MappingProxyType({})


class VerdictRecord:
    """Takes down all verdicts, again and again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._contents: list[Content] = []
        self._said: list[Said] = []
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
            self._take([content for content, _ in every], [_said(each) for _, each in every])
            self._refused, self._at = refused, now
        return self._taken

    def _take(self, contents: list[Content], said: list[Said]) -> None:
        if in_common(self._contents, contents) < len(self._contents):
            self._taken = dict(zip(contents, said, strict=True))  # some were forgotten
        else:
            more = repeat(1, len(said) - len(self._said))
            differ = chain(map(ne, self._said, said), more)
            others = dict(compress(zip(contents, said, strict=True), differ))
            if others:
                self._taken = {**self._taken, **others}
        self._contents, self._said = contents, said


def name_of(content: Content) -> str:
    """Name a content in one text; only its last part may have tabs in it."""
    return f"{content.type_url}\t{content.content}\t{content.name}"


def encode_said(said: Said) -> Entry:
    """Write what was said to a content."""
    first, agents, nodes, refused, by_all = said
    by_time = sorted(refused.items(), key=lambda item: (item[1].last, item[0]))
    note = [
        first,
        sorted(agents),
        nodes,
        [[node, each.agent, each.text, each.first, each.last] for node, each in by_time],
        by_all,
    ]
    return cast("Plain", note), b""


def decode_verdict(name: str, note: Plain) -> tuple[Content, Verdict]:
    """
    Read what `encode_said` wrote.

    Raises:
        ValueError: It is something else.
        TypeError: Likewise.
    """
    type_url, content, own = name.split("\t", 2)
    first, agents, nodes, refusing, by_all = cast("tuple[Any, ...]", note)
    refused = {
        node: Refusing(agent=agent, text=text, first=begin, last=end)
        for node, agent, text, begin, end in refusing
    }
    verdict = Verdict(
        first=first,
        last=max((each.last for each in refused.values()), default=first),
        agents=_agents(*agents),
        nodes=_nodes(*nodes),
        refused=refused or _NOBODY,
        by_all=by_all,
    )
    return Content(sys.intern(type_url), own, content), verdict


@functools.lru_cache(maxsize=128)
def _agents(*names: str) -> frozenset[str]:
    """Make one set of the agents that have accepted thousands of resources."""
    return frozenset(names)


@functools.lru_cache(maxsize=128)
def _nodes(*names: str) -> tuple[str, ...]:
    return names


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

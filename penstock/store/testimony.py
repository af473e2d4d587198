"""What Envoys have said, written and read."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from translator.policy import Refusal, Subject
from translator.report import ResourceRef
from xds.verdicts import Content, Refusing, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from translator.ir.plain import Plain

__all__ = ["VerdictWriter", "plain_refusals", "read_refusals", "read_verdicts"]

_EVERY: Final = 5.0
"""Seconds for which acceptances may be missing on disk; refusals never are."""


class VerdictWriter:
    """Writes all verdicts, again and again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._written = b"[]"
        self._refused: frozenset[tuple[Content, str]] = frozenset()
        self._at = float("-inf")

    def write(self, verdicts: Iterable[tuple[Content, Verdict]]) -> bytes:
        """Return all verdicts as they are, or as they were moments ago."""
        every = tuple(verdicts)
        refused = frozenset((content, node) for content, each in every for node in each.refused)
        now = self._monotonic()
        if refused != self._refused or now - self._at >= _EVERY:
            self._written = json.dumps([_plain(*each) for each in every]).encode()
            self._refused, self._at = refused, now
        return self._written


def _plain(content: Content, verdict: Verdict) -> list[object]:
    refused = [
        [node, each.agent, each.text, each.first, each.last]
        for node, each in verdict.refused.items()
    ]
    return [
        list(content),
        [verdict.first, verdict.last, sorted(verdict.agents), verdict.nodes],
        refused,
        verdict.by_all,
    ]


def read_verdicts(data: bytes) -> tuple[tuple[Content, Verdict], ...]:
    """
    Read what a `VerdictWriter` wrote.

    Raises:
        ValueError: It is something else.
    """
    try:
        return tuple(_verdict(*each) for each in json.loads(data))
    except (TypeError, ValueError) as error:
        raise ValueError(f"these are no verdicts: {error}") from error


def _verdict(
    content: list[str],
    said: tuple[float, float, list[str], list[str]],
    refused: list[tuple[str, str, str, float, float]],
    by_all: bool,  # noqa: FBT001 (as it is written)
) -> tuple[Content, Verdict]:
    first, last, agents, nodes = said
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
    return Content(*content), verdict


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

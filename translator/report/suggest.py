from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from translator.report.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_CUTOFF = 0.6
"""How alike two words must be, from 0 to 1; `echo-typo` and `echo` just reach it."""
_LONGEST = 128
"""Words longer than this are no typing mistakes; comparing them takes too long."""
_FEW = 200
"""Up to so many candidates, each is compared with care."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """
    Find the candidate that somebody who wrote `word` most likely meant.

    Names with a namespace (`ns/name`) are compared as wholes. Among equally good candidates the
    first in alphabetical order wins, so the answer does not depend on the order of the input.
    """
    if not 0 < len(word) <= _LONGEST:
        return None
    names = set(candidates)
    if len(names) > _FEW:
        names = _plausible(word, names)
    lowered = word.lower()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(lowered)
    best, best_score = None, _CUTOFF
    for name in sorted(names):
        if name == word or len(name) > _LONGEST:
            continue
        matcher.set_seq1(name.lower())
        # The two bounds are cheap; only what could still win is measured.
        if matcher.real_quick_ratio() < best_score or matcher.quick_ratio() < best_score:
            continue
        score = matcher.ratio()
        if score > best_score or (best is None and score >= best_score):
            best, best_score = name, score
    return best


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Write the help of a finding about a name that does not exist; empty if nothing is close."""
    best = closest(word, candidates)
    return "" if best is None else f"did you mean {quote(best)}?"


def _plausible(word: str, names: set[str]) -> set[str]:
    # One typing mistake leaves the first or the last half of a word as it was.
    half = max(1, len(word) // 2)
    head, tail = word[:half].lower(), word[-half:].lower()
    return {name for name in names if (low := name.lower()).startswith(head) or low.endswith(tail)}

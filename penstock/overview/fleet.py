"""
Many Envoys in few lines: those that say the same are one group, those that differ come first.

A fleet of a thousand is read by one person, who wants to know who does not agree, and why.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.connections import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Group", "Kind", "groups", "standing_of", "worst"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Where the Envoys of a group stand with one type."""

    type_url: str
    standing: Standing
    since: tuple[str, str] | None
    """When the first and when the last of them came to stand there, as the server writes it."""
    sent: tuple[str, ...]
    """The versions that they were sent last, the most frequent first."""
    accepted: tuple[str, ...]
    """The versions that they accepted last, the most frequent first."""
    names: tuple[str, ...]
    """The resources that they refuse; none if they refuse nothing or it is not known which."""
    text: str
    """Their words on it; empty if they refuse nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Envoys of one proxy that stand in the same place with every type, with the same words."""

    envoys: tuple[Mapping[str, Any], ...]
    """The Envoys, as the server describes them, sorted by the name of their node."""
    served: bool
    """Whether there is anything for them."""
    standing: Standing
    """The worst of all types."""
    kinds: tuple[Kind, ...]


def groups(envoys: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Divide Envoys into groups: the worst first, and of those the smallest."""
    found: dict[object, list[Mapping[str, Any]]] = {}
    for envoy in envoys:
        found.setdefault(_position(envoy), []).append(envoy)
    return sorted(map(_group, found.values()), key=_urgency)


def standing_of(envoy: Mapping[str, Any]) -> Standing:
    """Tell the worst of an Envoy's types."""
    return worst([Standing(kind["standing"]) for kind in envoy["types"].values()])


def worst(standings: Sequence[Standing]) -> Standing:
    """Tell the worst of several, which is nothing bad if there is none."""
    return max(standings, key=list(Standing).index, default=Standing.SYNCED)


def _position(envoy: Mapping[str, Any]) -> object:
    """Return what the Envoys of a group have in common."""
    return envoy["served"], tuple(
        (type_url, kind["standing"], *_refused(kind)) for type_url, kind in envoy["types"].items()
    )


def _refused(kind: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    rejection = kind["rejection"]
    return (tuple(rejection["names"]), rejection["text"]) if rejection else ((), "")


def _group(envoys: Sequence[Mapping[str, Any]]) -> Group:
    first = envoys[0]
    return Group(
        envoys=tuple(sorted(envoys, key=lambda envoy: str(envoy["node"]))),
        served=first["served"],
        standing=standing_of(first),
        kinds=tuple(
            _kind(url, [envoy["types"][url] for envoy in envoys]) for url in first["types"]
        ),
    )


def _kind(type_url: str, states: Sequence[Mapping[str, Any]]) -> Kind:
    first = states[0]
    names, text = _refused(first)
    moments = [state["since"] for state in states if state["since"]]
    return Kind(
        type_url=type_url,
        standing=Standing(first["standing"]),
        since=(min(moments), max(moments)) if moments else None,
        sent=_frequent(state["sent"] for state in states),
        accepted=_frequent(state["accepted"] for state in states),
        names=names,
        text=text,
    )


def _frequent(versions: Iterable[str]) -> tuple[str, ...]:
    counted = Counter(versions)
    return tuple(sorted(counted, key=lambda version: (-counted[version], version)))


def _urgency(group: Group) -> tuple[int, int, str]:
    badness = list(Standing).index(group.standing)
    # Who is not served at all is as badly off as who refuses, but knows less about it.
    return (
        -(badness if group.served else len(Standing) - 1),
        len(group.envoys),
        str(group.envoys[0]["node"]),
    )

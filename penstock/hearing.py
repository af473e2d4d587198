"""What Envoys say again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.verdicts import NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xds.verdicts import Voice

__all__ = ["Hearing"]


class Hearing:
    """
    Tells what is new in an acceptance.

    A state-of-the-world client accepts ten thousand clusters again for each that changed, and a
    thousand clients of one kind accept the same. Of each kind as many are told apart as are
    remembered by name for each content; of the others only what is new to their kind is.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], dict[str, str]] = {}
        """By type, kind and id, the versions by name that were accepted last."""
        self._nodes: dict[str, set[str]] = {}
        """By kind, the ids of those that are told apart."""

    def news(self, type_url: str, voice: Voice, versions: Mapping[str, str]) -> dict[str, str]:
        """Return what has to be noted, and take it for known from now on."""
        nodes = self._nodes.setdefault(voice.agent, set())
        if len(nodes) < NODES:
            nodes.add(voice.node)
        node = voice.node if voice.node in nodes else ""
        known = self._known.setdefault((type_url, voice.agent, node), {})
        news = {name: each for name, each in versions.items() if known.get(name) != each}
        known.update(news)
        return news

    def forget(self) -> None:
        """Listen to everything again: what was noted is not what it was."""
        self._known.clear()
        self._nodes.clear()

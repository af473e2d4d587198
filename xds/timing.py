from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long, in seconds, one thing may wait for another."""

    barrier: float = 20.0
    """
    Routes and listeners, for the client to acknowledge the clusters they need. Envoy gives up
    waiting for endpoints after 15 s by default and acknowledges then.
    """
    prune: float = 20.0
    """Removed clusters, for the client to acknowledge the routes that do without them."""
    in_flight: float = 25.0
    """An update, for the verdict on the one before."""
    warming: float = 5.0
    """
    An update of clusters, for a sign that the client has taken the one before. The verdict comes
    when all of it is warm, which may take a cluster with a silent name server half a minute.
    """
    doubt: float = 5.0
    """
    A request, for the acknowledgement of a response that was sent ahead of it. A client that was
    not ready for the response has dropped it without a word.
    """

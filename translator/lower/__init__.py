"""
From what people write to what each proxy is to do.

In: the index of resources. Out: the IR of every proxy, and a diagnostic for every mistake that
only shows when resources are put together: references, delegation, routing logic, and everything
that Envoy would refuse. Knows nothing of Envoy's messages, and of no policy: a route with a mistake
is kept and marked.
"""

from translator.lower.findings import Blame, Finding, Victim
from translator.lower.hosts import Affected
from translator.lower.incumbents import Incumbents
from translator.lower.lowering import NOTHING, Lowered, lower
from translator.lower.names import cluster

__all__ = [
    "NOTHING",
    "Affected",
    "Blame",
    "Finding",
    "Incumbents",
    "Lowered",
    "Victim",
    "cluster",
    "lower",
]

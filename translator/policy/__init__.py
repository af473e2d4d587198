"""
What is served in the place of what is invalid.

In: the IR as lowered, with its faults, what was served before, and the policy in force. Out: the
IR to serve, in which every route is valid, what was decided for which route, and what to remember.
Pure: what was served before is a value that the caller keeps, across restarts too.
"""

from translator.policy.decisions import Backends, Outcome
from translator.policy.effects import effect, held_by, held_phrase, hold
from translator.policy.lost import Lost
from translator.policy.memory import (
    WHOLE_KINDS,
    Good,
    GoodResources,
    Memory,
    Proven,
    ProxyMemory,
)
from translator.policy.mode import InvalidConfig, Mode
from translator.policy.owners import RouteOwners
from translator.policy.quarantine import Hit, Quarantine, Refusal, Subject, victims_of
from translator.policy.refused import find_refused
from translator.policy.serve import Served, serve
from translator.policy.settings import read_policy
from translator.policy.suspects import Suspect, suspect, suspects

__all__ = [
    "WHOLE_KINDS",
    "Backends",
    "Good",
    "GoodResources",
    "Hit",
    "InvalidConfig",
    "Lost",
    "Memory",
    "Mode",
    "Outcome",
    "Proven",
    "ProxyMemory",
    "Quarantine",
    "Refusal",
    "RouteOwners",
    "Served",
    "Subject",
    "Suspect",
    "effect",
    "find_refused",
    "held_by",
    "held_phrase",
    "hold",
    "read_policy",
    "serve",
    "suspect",
    "suspects",
    "victims_of",
]

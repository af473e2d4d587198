"""
What is served in the place of what is invalid.

In: the IR as lowered, with its faults, what was served before, and the policy in force. Out: the
IR to serve, in which every route is valid, what was decided for which route, and what to remember.
Pure: what was served before is a value that the caller keeps, across restarts too.
"""

from translator.policy.effects import effect, held_by, held_phrase, hold
from translator.policy.memory import Good, Memory, ProxyMemory
from translator.policy.mode import InvalidConfig, Mode
from translator.policy.serve import Backends, Outcome, Served, serve
from translator.policy.settings import read_policy

__all__ = [
    "Backends",
    "Good",
    "InvalidConfig",
    "Memory",
    "Mode",
    "Outcome",
    "ProxyMemory",
    "Served",
    "effect",
    "held_by",
    "held_phrase",
    "hold",
    "read_policy",
    "serve",
]

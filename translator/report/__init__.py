"""
What is wrong with the input, as data.

In: facts found by the stages above. Out: `Diagnostic`s, each one mistake of one author at one
position. Imports nothing else of Penstock.
"""

from translator.report import rules
from translator.report.diagnostic import Diagnostic, Position, ResourceRef
from translator.report.rules import Damage, Rule, Severity
from translator.report.suggest import closest, did_you_mean
from translator.report.text import quote

__all__ = [
    "Damage",
    "Diagnostic",
    "Position",
    "ResourceRef",
    "Rule",
    "Severity",
    "closest",
    "did_you_mean",
    "quote",
    "rules",
]

"""
Findings, written for people and for machines.

In: diagnostics, the texts they are about, and where those lie. Out: lines of text. Quick to
import, because `penstock check` is run at every save and every commit.
"""

from penstock.findings.machine import affected_data, as_data, as_github, as_json, resource_data
from penstock.findings.report import Report, identity
from penstock.findings.sections import sections
from penstock.findings.text import as_text, summary

__all__ = [
    "Report",
    "affected_data",
    "as_data",
    "as_github",
    "as_json",
    "as_text",
    "identity",
    "resource_data",
    "sections",
    "summary",
]

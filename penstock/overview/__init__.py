"""
What a running server tells of itself, shown on a terminal.

In: the documents of `/api/v1`. Out: lines of text. It asks over HTTP like anybody else, and imports
nothing of what serves.
"""

from penstock.overview.client import Client, Overview
from penstock.overview.text import as_text, is_healthy

__all__ = ["Client", "Overview", "as_text", "is_healthy"]

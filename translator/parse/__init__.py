"""
From the bytes of one file to documents of plain values, each of which can say where it stands.

In: an origin and its bytes. Out: `Document`s, and diagnostics for what is wrong with the text
itself. Knows no kind and no field, except that a `kind: List` is a wrapper. Imports PyYAML and
`report` only.
"""

from translator.parse.document import Document, Flaw, Locator, ParsedFile, Path
from translator.parse.limits import MAX_ALIASED_NODES, MAX_CHARACTERS, MAX_DEPTH
from translator.parse.locate import TextLocator
from translator.parse.parse import parse
from translator.parse.scalars import Surprise, key_text
from translator.parse.stream import HAS_LIBYAML

__all__ = [
    "HAS_LIBYAML",
    "MAX_ALIASED_NODES",
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "Document",
    "Flaw",
    "Locator",
    "ParsedFile",
    "Path",
    "Surprise",
    "TextLocator",
    "key_text",
    "parse",
]

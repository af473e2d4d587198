"""
Which paths a request can have, and which rewrites make one.

The rules are Gloo's (`ValidateRoutePath`), which follow RFC 3986 and the path normalisation that
our listeners ask of Envoy: a path that normalisation would change cannot be matched.
"""

from __future__ import annotations

import re

_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
"""`pchar` of RFC 3986, and the slash."""
_FORBIDDEN = ("//", "/./", "/../", "%2f", "%2F", "#")
_FORBIDDEN_ENDS = ("/.", "/..")
_HOST = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:%\[\]]+")


def path_complaint(path: str) -> str:
    """Say why no request has a path that is or begins with this; empty if one may."""
    if not path.startswith("/"):
        return "it does not begin with '/'"
    return _complaint(path)


def rewrite_complaint(rewrite: str) -> str:
    """Say why a path may not become this; empty if it may. A query may follow the path."""
    return _complaint(re.split(r"[?#]", rewrite, maxsplit=1)[0])


def host_complaint(host: str) -> str:
    """Say why a URL cannot have a host; empty if it can."""
    return "" if _HOST.fullmatch(host) else "it is not a host"


def _complaint(path: str) -> str:
    for text in _FORBIDDEN:
        if text in path:
            return f"it contains '{text}'"
    for text in _FORBIDDEN_ENDS:
        if path.endswith(text):
            return f"it ends with '{text}'"
    valid = _CHARACTERS.match(path)
    end = valid.end() if valid else 0
    if end == len(path):
        return ""
    return f"a path cannot contain {path[end]!r} here; write such characters as %XX"

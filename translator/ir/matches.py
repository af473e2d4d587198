from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PathKind(StrEnum):
    """How a path is compared (Envoy `RouteMatch.path_specifier`)."""

    PREFIX = "prefix"
    EXACT = "exact"
    REGEX = "regex"


class ValueKind(StrEnum):
    """How the value of a header or query parameter is compared."""

    PRESENT = "present"
    EXACT = "exact"
    REGEX = "regex"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """A condition on the path of a request."""

    kind: PathKind
    value: str
    """A raw string prefix (`/foo` also matches `/foobar`), a whole path, or an RE2 expression
    that must match the whole path."""
    case_sensitive: bool = True
    """Ignored by Envoy for an expression."""

    def __str__(self) -> str:
        prefix = "" if self.kind is PathKind.PREFIX else f"{self.kind} "
        return f"{prefix}{self.value}" + ("" if self.case_sensitive else " (any case)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch:
    """A condition on one header of a request."""

    name: str
    kind: ValueKind
    value: str = ""
    invert: bool = False
    """Whether the request must not fulfil the condition."""

    def __str__(self) -> str:
        sense = "no header" if self.invert else "header"
        match self.kind:
            case ValueKind.PRESENT:
                return f"{sense} {self.name}"
            case ValueKind.EXACT:
                return f"{sense} {self.name}: {self.value}"
            case ValueKind.REGEX:
                return f"{sense} {self.name} like {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMatch:
    """A condition on one query parameter of a request."""

    name: str
    kind: ValueKind
    value: str = ""

    def __str__(self) -> str:
        match self.kind:
            case ValueKind.PRESENT:
                return f"query parameter {self.name}"
            case ValueKind.EXACT:
                return f"query parameter {self.name}={self.value}"
            case ValueKind.REGEX:
                return f"query parameter {self.name} like {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """All conditions that a request must fulfil to take a route."""

    path: PathMatch
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    methods: tuple[str, ...] = ()
    """Any of these; all methods if empty."""
    share: int = 1_000_000
    """How many in a million of these requests take the route, chosen at random."""

    def __str__(self) -> str:
        """Name the requests that match, for a sentence such as `requests to … get 404`."""
        conditions = [str(condition) for condition in (*self.headers, *self.query)]
        methods = f"{'|'.join(self.methods)} " if self.methods else ""
        return f"{methods}{self.path}" + (f" with {' and '.join(conditions)}" if conditions else "")

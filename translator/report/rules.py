"""
The one table of mistakes: code, severity, and what becomes invalid.

Codes are stable and never reused. Groups: 1xx YAML, 2xx fields, 3xx references and delegation,
4xx routing logic, 5xx refused by Envoy, 9xx our own bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ALL_RULES", "Damage", "Rule", "Severity"]


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something is invalid and is not served as written."""
    WARNING = "warning"
    """Everything is served as written, but hardly as meant."""


class Damage(StrEnum):
    """What a mistake makes invalid."""

    FILE = "file"
    """Every resource of the file from this place on."""
    RESOURCE = "resource"
    """The resource that holds it: its own routes, or the routes that need it."""
    ROUTE = "route"
    """The route that holds it."""
    DOMAIN = "domain"
    """One domain of a virtual service; its first owner keeps it."""
    NONE = "none"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    code: str
    severity: Severity
    damage: Damage
    title: str


_RULES: dict[str, Rule] = {}


def _error(code: str, damage: Damage, title: str) -> Rule:
    return _RULES.setdefault(code, Rule(code, Severity.ERROR, damage, title))


def _warning(code: str, title: str) -> Rule:
    return _RULES.setdefault(code, Rule(code, Severity.WARNING, Damage.NONE, title))


BAD_ENCODING = _error("PEN101", Damage.FILE, "the file is not UTF-8")
BAD_YAML = _error("PEN102", Damage.FILE, "the text is not YAML")
TAB = _error("PEN103", Damage.FILE, "a tab where YAML wants spaces")
DUPLICATE_KEY = _error("PEN104", Damage.RESOURCE, "a key stands twice in one mapping")
SURPRISING_SCALAR = _error("PEN105", Damage.RESOURCE, "YAML 1.1 reads a value as another type")
TOO_LARGE = _error("PEN106", Damage.FILE, "a text, its nesting or its aliases exceed the limits")
NOT_A_RESOURCE = _error("PEN107", Damage.RESOURCE, "a document is not a resource")
UNREADABLE = _error("PEN108", Damage.FILE, "a file cannot be read")
TAG = _error("PEN109", Damage.RESOURCE, "a tag that is not one of YAML's own")

UNKNOWN_FIELD = _error("PEN201", Damage.RESOURCE, "no such field")
UNSUPPORTED_FIELD = _error("PEN202", Damage.RESOURCE, "a field of Gloo that is not supported")
WRONG_TYPE = _error("PEN203", Damage.RESOURCE, "a value of the wrong type")
MISSING_FIELD = _error("PEN204", Damage.RESOURCE, "a required field is missing")
BAD_VALUE = _error("PEN205", Damage.RESOURCE, "a value out of its range or form")
EXCLUSIVE_FIELDS = _error("PEN206", Damage.RESOURCE, "fields that exclude each other")
UNKNOWN_KIND = _error("PEN207", Damage.RESOURCE, "no such kind")
UNUSED_KIND = _warning("PEN208", "a kind that Penstock has no use for")
DUPLICATE_RESOURCE = _error("PEN209", Damage.RESOURCE, "two documents with one identity")
BAD_NAME = _error("PEN210", Damage.RESOURCE, "a name or namespace that Kubernetes would refuse")
UNSUPPORTED_KIND = _error("PEN211", Damage.RESOURCE, "a kind of Gloo that is not supported")

UNKNOWN_UPSTREAM = _error("PEN301", Damage.ROUTE, "no such upstream")
UNKNOWN_UPSTREAM_GROUP = _error("PEN302", Damage.ROUTE, "no such upstream group")
UNKNOWN_ROUTE_TABLE = _error("PEN303", Damage.ROUTE, "no such route table")
BAD_SELECTOR = _error("PEN304", Damage.ROUTE, "a selector that cannot be evaluated")
EMPTY_SELECTION = _warning("PEN305", "a selector that matches no route table")
DELEGATION_CYCLE = _error("PEN306", Damage.ROUTE, "a route table that delegates to itself")
OUTSIDE_PARENT = _error("PEN307", Damage.ROUTE, "a matcher outside its parent's matcher")
BAD_DELEGATION = _error("PEN308", Damage.ROUTE, "a matcher that cannot delegate")
UNKNOWN_SUBSET = _error("PEN309", Damage.ROUTE, "a subset whose keys no selector has")
NO_SUBSETS = _error("PEN310", Damage.ROUTE, "a subset of an upstream without subsets")
EMPTY_SUBSET = _warning("PEN311", "a subset that selects no endpoint")
UNKNOWN_SERVICE = _error("PEN312", Damage.RESOURCE, "no such service or port")
UNKNOWN_VIRTUAL_SERVICE = _error("PEN313", Damage.NONE, "no such virtual service")
UNREACHED_ROUTE_TABLE = _warning("PEN314", "a route table that nobody delegates to")
UNATTACHED_VIRTUAL_SERVICE = _warning("PEN315", "a virtual service on no gateway")
INVALID_UPSTREAM = _error("PEN316", Damage.ROUTE, "an upstream that is itself invalid")
INVALID_ROUTE_TABLE = _error("PEN317", Damage.ROUTE, "a route table that is itself invalid")
UNUSED_SETTINGS = _warning("PEN318", "settings that nobody reads")

NO_ACTION = _error("PEN401", Damage.ROUTE, "a route without an action")
BAD_REGEX = _error("PEN402", Damage.ROUTE, "a regular expression that RE2 refuses")
ZERO_WEIGHT = _error("PEN403", Damage.ROUTE, "weights that sum to zero, or exceed 32 bits")
BAD_PATH = _error("PEN404", Damage.ROUTE, "a path that no request can have")
BAD_HEADER = _error("PEN405", Damage.ROUTE, "a header name or value that HTTP or Envoy refuses")
BAD_METHOD = _error("PEN406", Damage.ROUTE, "a method that HTTP refuses")
DOMAIN_CONFLICT = _error("PEN407", Damage.DOMAIN, "a domain that has another owner")
BAD_DOMAIN = _error("PEN408", Damage.DOMAIN, "a domain that Envoy refuses")
DUPLICATE_ROUTE = _warning("PEN409", "a route with the matcher of an earlier one")
SHADOWED_ROUTE = _warning("PEN410", "a route that an earlier one always hides")
ADDRESS_CONFLICT = _error("PEN411", Damage.RESOURCE, "two gateways on one address")
NO_DESTINATION = _error("PEN412", Damage.ROUTE, "a destination list without members")
BAD_REWRITE = _error("PEN413", Damage.ROUTE, "a rewrite that Envoy refuses")
BAD_STATUS = _error("PEN414", Damage.ROUTE, "a response code out of range")
BAD_ADDRESS = _error("PEN415", Damage.RESOURCE, "an address that Envoy refuses")
MISPLACED_OPTION = _error("PEN416", Damage.ROUTE, "an option that this action cannot have")

REFUSED_BY_ENVOY = _error("PEN501", Damage.ROUTE, "Envoy refused it")

INTERNAL = _error("PEN901", Damage.RESOURCE, "a bug in Penstock")

ALL_RULES: tuple[Rule, ...] = tuple(_RULES.values())
"""Every rule, by code."""

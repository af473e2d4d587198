"""
Routes that no request ever reaches, because an earlier one takes them all.

A finding is made only if it can be proved: each condition of the earlier route follows from the
conditions of the later one. To stay far from comparing every pair, earlier routes are found by
their path and by one of their conditions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import compress, islice
from operator import attrgetter, eq, is_, is_not
from typing import TYPE_CHECKING, TypeAlias

from translator.ir import HeaderMatch, PathKind, ValueKind
from translator.lower.findings import Findings
from translator.lower.regexes import full_match, literal_prefix
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from translator.ir import Match, PathMatch, QueryMatch
    from translator.lower.findings import Finding, Place
    from translator.lower.placed import Entry

_MAX_COMPARED = 100
"""With how many earlier routes of one bucket a route is compared, and an exact path with how many
expressions. Hundreds of routes that differ in a regular expression only would take quadratic time;
what is missed is a warning."""

_SMALL = 32
"""How many routes are not worth dividing."""
_MAX_SLASHES = 10
_MAX_SHORTER = 16
"""How many routes with shorter paths are looked at again with each unit of those with longer ones;
where there are more of them, all are one unit."""

_MAX_CONDITIONS = 10_000
"""How many pairs of headers are looked at to compare two routes."""

_Bucket: TypeAlias = "dict[Hashable, list[Entry]]"
"""Routes of one path, by one condition that each of them has."""


@dataclass(slots=True)
class _Earlier:
    """The routes so far, by path."""

    prefixes: dict[str, _Bucket] = field(default_factory=dict)
    any_case_prefixes: dict[str, _Bucket] = field(default_factory=dict)
    exacts: dict[str, _Bucket] = field(default_factory=dict)
    any_case_exacts: dict[str, _Bucket] = field(default_factory=dict)
    regexes: dict[str, _Bucket] = field(default_factory=dict)
    regexes_by_prefix: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    lengths: set[int] = field(default_factory=set)
    """How long the prefixes are; a path is not cut at other places, because it may be very long."""

    def add(self, entry: Entry) -> None:
        path = entry.route.match.path
        caseless = path.value.lower() == path.value.upper()
        stores: list[tuple[dict[str, _Bucket], str]] = []
        match path.kind:
            case PathKind.PREFIX:
                self.lengths.add(len(path.value))
                if path.case_sensitive:
                    stores.append((self.prefixes, path.value))
                if caseless or not path.case_sensitive:
                    stores.append((self.any_case_prefixes, path.value.lower()))
            case PathKind.EXACT:
                if path.case_sensitive:
                    stores.append((self.exacts, path.value))
                if caseless or not path.case_sensitive:
                    stores.append((self.any_case_exacts, path.value.lower()))
            case PathKind.REGEX:
                stores.append((self.regexes, path.value))
                prefix = literal_prefix(path.value)
                self.lengths.add(len(prefix))
                self.regexes_by_prefix[prefix][path.value] = None
        for store, key in stores:
            bucket = store.setdefault(key, {})
            bucket.setdefault(_bucket_key(entry.route.match), []).append(entry)

    def covering(self, path: PathMatch) -> Iterator[_Bucket]:
        """Yield the routes whose condition on the path follows from another."""
        if path.kind is PathKind.REGEX:
            if path.value in self.regexes:
                yield self.regexes[path.value]
            # Everything that the expression matches begins with this.
            yield from self._prefixes_of(literal_prefix(path.value), case_sensitive=True)
            return
        yield from self._prefixes_of(path.value, case_sensitive=path.case_sensitive)
        if path.kind is PathKind.PREFIX:
            return
        if path.value.lower() in self.any_case_exacts:
            yield self.any_case_exacts[path.value.lower()]
        if path.case_sensitive:
            if path.value in self.exacts:
                yield self.exacts[path.value]
            yield from self._regexes_of(path.value)

    def _prefixes_of(self, value: str, *, case_sensitive: bool) -> Iterator[_Bucket]:
        lowered = value.lower()
        for length in self._lengths_to(len(value)):
            if case_sensitive and value[:length] in self.prefixes:
                yield self.prefixes[value[:length]]
            if lowered[:length] in self.any_case_prefixes:
                yield self.any_case_prefixes[lowered[:length]]

    def _regexes_of(self, value: str) -> Iterator[_Bucket]:
        regexes = (
            regex
            for length in self._lengths_to(len(value))
            for regex in self.regexes_by_prefix.get(value[:length], ())
        )
        for regex in islice(regexes, _MAX_COMPARED):
            if full_match(regex, value):
                yield self.regexes[regex]

    def _lengths_to(self, most: int) -> Iterable[int]:
        if most < len(self.lengths):
            return (length for length in range(most + 1) if length in self.lengths)
        return sorted(length for length in self.lengths if length <= most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Routes that must be looked at together, because one of them may hide another."""

    before: tuple[Entry, ...]
    """Routes of other units, with shorter paths, that come before some of these."""
    entries: tuple[Entry, ...]
    """The routes, in the order in which Envoy tries them, those of other units among them."""
    shadows: tuple[tuple[Place, Finding], ...]
    """The routes that are hidden, each with its finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadows:
    """Which routes of one virtual host are hidden by others."""

    entries: tuple[Entry, ...] = ()
    """All routes, in the order in which Envoy tries them."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    """The valid ones in units that have nothing to do with each other, by the path of each."""

    @property
    def found(self) -> tuple[tuple[Place, Finding], ...]:
        """The routes that are hidden, each with its finding."""
        return tuple(shadow for unit in self.units.values() for shadow in unit.shadows)


def find_shadows(entries: tuple[Entry, ...], known: Shadows) -> Shadows:
    """
    Find the valid routes of one virtual host that earlier valid ones hide.

    A route can only hide one whose path begins like its own. So routes are divided by how their
    paths begin, and what was found about those that are the same as before is not looked for again.

    Args:
        entries: The routes, in the order in which Envoy tries them.
        known: What was found before; the result does not depend on it.
    """
    beginnings = map(_beginning, entries)
    if len(entries) == len(known.entries) and all(
        map(eq, beginnings, map(_beginning, known.entries))
    ):
        return Shadows(entries=entries, units=_renewed(entries, known))
    numbered = [
        (entry.beginning, number, entry)
        for number, entry in enumerate(entries)
        if entry.beginning is not None
    ]
    units: dict[str, Unit] = {}
    _divide(numbered, [], known.units, units, 2)
    return Shadows(entries=entries, units=units)


_beginning: Callable[[Entry], str | None] = attrgetter("beginning")


def _renewed(entries: tuple[Entry, ...], known: Shadows) -> Mapping[str, Unit]:
    """Look again at the units of the routes that are others now, whose paths begin as before."""
    differ = map(is_not, known.entries, entries)
    others = {
        id(old): new for old, new in compress(zip(known.entries, entries, strict=True), differ)
    }
    units = dict(known.units)
    for root, unit in units.items() if others else ():
        if not others.keys().isdisjoint(map(id, unit.entries)):
            before = tuple([others.get(id(each), each) for each in unit.before])
            members = tuple([others.get(id(each), each) for each in unit.entries])
            units[root] = Unit(before=before, entries=members, shadows=_shadows(members, before))
    return units


_Numbered: TypeAlias = tuple[str, int, "Entry"]
"""How the path of a route begins, and which place the route has."""


def _divide(
    routes: list[_Numbered],
    shorter: list[_Numbered],
    known: Mapping[str, Unit],
    units: dict[str, Unit],
    slashes: int,
) -> None:
    """Divide routes by how their paths begin up to some slash; larger groups further."""
    cuts = {beginning: _cut(beginning, slashes) for beginning, _, _ in routes}
    roots: dict[str, str] = {}
    root: str | None = None
    for cut in sorted(set(cuts.values())):
        if root is None or not cut.startswith(root):
            root = cut
        roots[cut] = root
    groups: defaultdict[str, list[_Numbered]] = defaultdict(list)
    for route in routes:
        groups[roots[cuts[route[0]]]].append(route)
    for root, group in groups.items():
        if len(group) <= _SMALL or slashes > _MAX_SLASHES:
            _add(root, group, shorter, known, units)
            continue
        own = [route for route in group if route[0] == root]
        if own and len(shorter) + len(own) <= _MAX_SHORTER:
            _add(root, own, shorter, known, units)
            rest = [route for route in group if route[0] != root]
            _divide(rest, [*shorter, *own], known, units, slashes + 1)
        else:
            _divide(group, shorter, known, units, slashes + 1)


def _cut(beginning: str, slashes: int) -> str:
    """Cut a path before one of its slashes; of two paths, one still begins with the other."""
    end = -1
    for _ in range(slashes):
        end = beginning.find("/", end + 1)
        if end < 0:
            return beginning
    return beginning[:end]


def _add(
    root: str,
    routes: list[_Numbered],
    shorter: list[_Numbered],
    known: Mapping[str, Unit],
    units: dict[str, Unit],
) -> None:
    every = sorted([*shorter, *routes], key=_number) if shorter else routes
    before = tuple([entry for _, _, entry in shorter])
    entries = tuple([entry for _, _, entry in every])
    unit = known.get(root)
    if unit is None or not _is_same(unit.entries, entries) or not _is_same(unit.before, before):
        unit = Unit(before=before, entries=entries, shadows=_shadows(entries, before))
    units[root] = unit


def _number(route: _Numbered) -> int:
    return route[1]


def _is_same(one: tuple[Entry, ...], other: tuple[Entry, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _shadows(
    entries: tuple[Entry, ...], before: tuple[Entry, ...]
) -> tuple[tuple[Place, Finding], ...]:
    """Find those of some routes that earlier ones hide, but for the routes of other units."""
    if len(entries) == 1:
        return ()
    others = set(map(id, before))
    found: list[Finding] = []
    places: list[Place] = []
    earlier = _Earlier()
    for entry in entries:
        if id(entry) not in others:
            cover = _cover(entry, earlier)
            if cover is not None:
                _report(entry, cover, found)
                places.append(entry.place)
        earlier.add(entry)
    return tuple(zip(places, found, strict=True))


def _cover(entry: Entry, earlier: _Earlier) -> Entry | None:
    match = entry.route.match
    keys = [(), *_keys_of(match)]
    for bucket in earlier.covering(match.path):
        for key in keys:
            for other in islice(bucket.get(key, ()), _MAX_COMPARED):
                if _same_route(entry, other):
                    continue
                if _conditions_cover(other.route.match, match):
                    return other
    return None


def _same_route(one: Entry, other: Entry) -> bool:
    """Tell whether two Envoy routes come from one route as written: no matcher is too many then."""
    return one.route.source == other.route.source


def _bucket_key(match: Match) -> Hashable:
    """Choose one condition of a matcher; whatever it covers is found by one of its conditions."""
    for header in match.headers:
        if not header.invert and header.kind is ValueKind.EXACT:
            return "header", header.name, header.value
    for header in match.headers:
        return "header", header.name
    for parameter in match.query:
        return "query", parameter.name
    return ()


def _keys_of(match: Match) -> Iterator[Hashable]:
    for header in match.headers:
        yield "header", header.name
        if not header.invert and header.kind is ValueKind.EXACT:
            yield "header", header.name, header.value
    for parameter in match.query:
        yield "query", parameter.name


def _conditions_cover(earlier: Match, later: Match) -> bool:
    """Tell whether the later conditions, paths aside, imply the earlier ones."""
    if len(earlier.headers) * len(later.headers) > _MAX_CONDITIONS:
        return False
    if earlier.methods and not (later.methods and set(later.methods) <= set(earlier.methods)):
        return False
    return all(
        any(_implies(theirs, header) for theirs in later.headers) for header in earlier.headers
    ) and all(
        any(_implies_query(theirs, parameter) for theirs in later.query)
        for parameter in earlier.query
    )


def _implies(given: HeaderMatch, wanted: HeaderMatch) -> bool:
    if given == wanted:
        return True
    if given.name != wanted.name:
        return False
    if given.invert:
        # Only "the header is absent" says something about other conditions.
        return given.kind is ValueKind.PRESENT and wanted.invert
    matches = _value_matches(given, wanted)
    if wanted.invert:
        return matches is False
    return matches is True


def _implies_query(given: QueryMatch, wanted: QueryMatch) -> bool:
    return given == wanted or (given.name == wanted.name and _value_matches(given, wanted) is True)


def _value_matches(
    given: HeaderMatch | QueryMatch, wanted: HeaderMatch | QueryMatch
) -> bool | None:
    """
    Tell whether all values that fulfil one condition fulfil another, both taken without `invert`.

    Returns:
        True if all do, False if none does, None if that is not known.
    """
    if wanted.kind is ValueKind.PRESENT:
        return True
    if given.kind is ValueKind.EXACT:
        if wanted.kind is ValueKind.EXACT:
            return given.value == wanted.value
        return full_match(wanted.value, given.value)
    if given.kind is wanted.kind is ValueKind.REGEX and given.value == wanted.value:
        return True
    return None


def _report(entry: Entry, cover: Entry, found: list[Finding]) -> None:
    findings = Findings(entry.place.resource, entry.route.source.route, found)
    source = cover.route.source
    whose = f"route '{source.route}' of {source.kind} {source.namespace}/{source.name}"
    duplicate = _same_match(entry.route.match, cover.route.match)
    findings.add(
        rules.DUPLICATE_ROUTE if duplicate else rules.SHADOWED_ROUTE,
        entry.place,
        f"the matcher is that of {whose}, which comes first"
        if duplicate
        else f"every request that matches is taken by {whose}, which comes first",
        help=f"it matches {cover.route.match}",
        effect=f"no request to {entry.route.match} takes this route",
        related=(("the earlier route", cover.place.value),),
    )


def _same_match(one: Match, other: Match) -> bool:
    return (
        one.path == other.path
        and one.methods == other.methods
        and set(one.headers) == set(other.headers)
        and set(one.query) == set(other.query)
    )

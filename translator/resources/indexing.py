"""How the index comes about, from all documents or from those that changed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from translator.report import Diagnostic, ResourceRef, rules
from translator.resources.index import EMPTY, NOTHING, Index
from translator.reuse import same, updated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from translator.report import Position
    from translator.resources.base import Model
    from translator.resources.core import EndpointSlice, Pod
    from translator.resources.index import Key
    from translator.resources.read import Reading
    from translator.resources.resource import Resource

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label by which an EndpointSlice says whose endpoints it holds."""

_NOWHERE = 1_000_000
"""Deeper than any folder."""

_NO_STAND_IN = frozenset({"Upstream", "UpstreamGroup"})

_UNORDERED = frozenset({"Endpoints", "EndpointSlice", "Pod", "Service"})
"""Kinds that are many, come and go all the time, and are never gone through."""
_UNNAMED = _UNORDERED - {"Service"}
"""Kinds that nobody refers to by a name that could be misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastResources:
    """What of the past counts for what there is."""

    good: Mapping[ResourceRef, Resource[Model]] = field(default_factory=dict)
    """Resources as they were when they were good last. They stand in for those that are invalid
    now, except that an invalid upstream, or group of upstreams, leaves the routes that use it
    without a destination."""
    lost: frozenset[ResourceRef] = frozenset()
    """Resources whose document cannot be read any more, as opposed to deleted ones."""
    rejected: frozenset[ResourceRef] = frozenset()
    """Resources that turned out to be invalid although each field is as the API says."""


def build_index(
    readings: Iterable[Reading], past: PastResources | None = None
) -> tuple[Index, tuple[Diagnostic, ...]]:
    """
    Collect the resources.

    Of two documents with one identity the one counts that was good last, else one in a folder that
    is called like its namespace, else the first by file and place; the others are reported. While
    the one that was good last cannot be read, no other takes its place. The outcome does not depend
    on the order of the readings.

    Args:
        readings: What the documents say.
        past: What of the past counts.
    """
    return update_index(EMPTY, gone=(), come=readings, past=past or PastResources())


def update_index(
    before: Index, *, gone: Iterable[Reading], come: Iterable[Reading], past: PastResources
) -> tuple[Index, tuple[Diagnostic, ...]]:
    """
    Collect the resources as `build_index` does, when only some documents are others than before.

    Args:
        before: The index of the documents before.
        gone: The documents that are no longer there.
        come: Those that are new.
        past: What of the past counts.
    """
    update = _Update(before, past)
    update.claim(gone, come)
    touched = update.touched | past.lost | past.rejected
    if before is EMPTY:
        touched |= {ref for ref in past.good if ref.kind == "Upstream"}
    ordered = sorted(touched, key=lambda ref: (ref.kind, ref.namespace, ref.name))
    diagnostics = tuple(diagnostic for ref in ordered for diagnostic in update.decide(ref))
    return update.finish(), diagnostics


@dataclass(slots=True)
class _Update:
    """One update, under way."""

    before: Index
    past: PastResources
    claims: dict[ResourceRef, tuple[Reading, ...] | None] = field(default_factory=dict)
    """The documents of what is touched."""
    touched: set[ResourceRef] = field(init=False)
    """What may be other than before."""
    broken: set[ResourceRef] = field(default_factory=set)
    stale: set[ResourceRef] = field(default_factory=set)
    special: set[ResourceRef] = field(default_factory=set)
    former: dict[Key, Resource[Any]] = field(init=False)
    changed: dict[str, dict[Key, Resource[Any] | None]] = field(default_factory=dict)
    """By kind what takes the place of what was there; None for nothing."""
    known: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By kind whether there is a resource of a name, valid or not."""
    latest: dict[str, frozenset[Key]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.touched = set(self.before.special)
        self.former = dict(self.before.former_upstreams)

    def claim(self, gone: Iterable[Reading], come: Iterable[Reading]) -> None:
        for reading in gone:
            if (ref := reading.ref) is not None:
                self.touched.add(ref)
                rest = tuple(each for each in self._claims(ref) if each is not reading)
                self.claims[ref] = rest or None
        for reading in come:
            if (ref := reading.ref) is not None:
                self.touched.add(ref)
                self.claims[ref] = (*self._claims(ref), reading)

    def _claims(self, ref: ResourceRef) -> tuple[Reading, ...]:
        return self.claims.get(ref, self.before.claims.get(ref)) or ()

    def decide(self, ref: ResourceRef) -> Iterable[Diagnostic]:
        """Decide what there is of one identity, and report what it is not."""
        claims = self._claims(ref)
        former = self.past.good.get(ref)
        lost = former is not None and ref in self.past.lost
        resource: Resource[Any] | None = None
        if len(claims) > 1:
            claims = tuple(sorted(claims, key=_precedence(former)))
        if claims and (former is None or not lost or _is_from(former, claims[0])):
            resource = None if ref in self.past.rejected else claims[0].resource
        simple = len(claims) == 1 and resource is not None
        exists = bool(claims) or lost
        remembered = former is not None and ref.kind == "Upstream"
        if exists and resource is None:
            if former is not None and ref.kind not in _NO_STAND_IN:
                resource = former
                self.stale.add(ref)
            else:
                self.broken.add(ref)
        if not simple and (exists or remembered):
            self.special.add(ref)
        self.changed.setdefault(ref.kind, {})[ref.key] = resource
        self.known.setdefault(ref.kind, {})[f"{ref.namespace}/{ref.name}"] = exists
        if ref.kind == "Upstream":
            self.former.pop(ref.key, None)
            if resource is None and remembered and former is not None:
                self.former[ref.key] = former
        return [_duplicate(ref, _place(claims[0]), _place(other)) for other in claims[1:]]

    def finish(self) -> Index:
        before = self.before
        kinds = dict(before.kinds)
        for kind, changed in self.changed.items():
            old = before.kinds.get(kind, NOTHING)
            kinds[kind] = updated(old, changed, ordered=kind not in _UNORDERED)
            self.latest[kind] = _others(changed, old)
        names = dict(before.names)
        for kind in self.known.keys() - _UNNAMED:
            names[kind] = _with_names(before.names.get(kind, ()), self.known[kind])
        index = replace(
            before,
            kinds=MappingProxyType(kinds),
            names=MappingProxyType({kind: names[kind] for kind in sorted(names) if names[kind]}),
            claims=updated(before.claims, self.claims, ordered=False),
            broken=same(frozenset(self.broken), before.broken),
            stale=same(frozenset(self.stale), before.stale),
            special=same(frozenset(self.special), before.special),
            former_upstreams=same(
                MappingProxyType({key: self.former[key] for key in sorted(self.former)}),
                before.former_upstreams,
            ),
        )
        index = self._with_pods(self._with_slices(index))
        return replace(index, token=object(), follows=before.token, latest=self.latest)

    def _with_slices(self, index: Index) -> Index:
        """
        Find the slices of each Service.

        Any slice can name any Service. Where some of them lie in the Service's own folder, whoever
        owns that folder says which endpoints it has, and nobody else adds any.
        """
        concerned = set(self.changed.get("Service", ()))
        all_slices = self.before.all_slices
        if pieces := self.changed.get("EndpointSlice"):
            old = self.before.kinds.get("EndpointSlice", NOTHING)
            groups = _Groups(all_slices)
            for key, new in pieces.items():
                for resource in filter(None, (old.get(key), new)):
                    if (service := _service_of(resource)) is not None:
                        concerned.add(service)
                        groups.move(service, resource, added=resource is new)
            all_slices = groups.updated()
        if not concerned:
            return index
        slices: dict[Key, tuple[Resource[EndpointSlice], ...] | None] = {}
        for service in concerned:
            every = all_slices.get(service, ())
            owner = index.services.get(service)
            if owner is not None:
                folder = _folder(owner)
                every = tuple(one for one in every if _folder(one) == folder) or every
            known = self.before.endpoint_slices.get(service, ())
            slices[service] = same(every, known) or None
        self.latest["endpoint_slices"] = _others(slices, self.before.endpoint_slices)
        return replace(
            index,
            all_slices=all_slices,
            endpoint_slices=updated(self.before.endpoint_slices, slices, ordered=False),
        )

    def _with_pods(self, index: Index) -> Index:
        concerned, sharing = set(self.before.contested), self.before.sharing
        if pods := self.changed.get("Pod"):
            old, groups = self.before.pods, _Groups(sharing)
            for key, new in pods.items():
                for pod in filter(None, (old.get(key), new)):
                    if pod.spec.status.pod_ip:
                        address = (pod.ref.namespace, pod.spec.status.pod_ip)
                        concerned.add(address)
                        groups.move(address, pod, added=pod is new)
            sharing = groups.updated()
        if not concerned:
            return index
        chosen: dict[Key, Resource[Pod] | None] = {}
        contested: set[Key] = set()
        for address in concerned:
            every = sharing.get(address, ())
            if len(every) > 1:
                contested.add(address)
            chosen[address] = min(every, key=self._pod_precedence) if every else None
        self.latest["pods_by_ip"] = _others(chosen, self.before.pods_by_ip)
        return replace(
            index,
            sharing=sharing,
            contested=same(frozenset(contested), self.before.contested),
            pods_by_ip=updated(self.before.pods_by_ip, chosen, ordered=False),
        )

    def _pod_precedence(self, pod: Resource[Pod]) -> tuple[bool, int, str]:
        past = cast("Resource[Pod] | None", self.past.good.get(pod.ref))
        had_it = past is not None and past.spec.status.pod_ip == pod.spec.status.pod_ip
        return not had_it, _depth(pod.locator.origin, pod.ref.namespace), pod.ref.name


def _others(new: Mapping[Key, object], old: Mapping[Key, object]) -> frozenset[Key]:
    return frozenset(key for key, value in new.items() if old.get(key) is not value)


def _with_names(before: tuple[str, ...], known: Mapping[str, bool]) -> tuple[str, ...]:
    """Return names with others, or without some; hardly ever anything comes or goes."""
    if all(_has(before, name) is exists for name, exists in known.items()):
        return before
    come = [name for name, exists in known.items() if exists]
    rest = [name for name in before if name not in known]
    return tuple(sorted(rest + come))


def _has(names: tuple[str, ...], name: str) -> bool:
    place = bisect_left(names, name)
    return place < len(names) and names[place] == name


class _Groups:
    """Resources by something that they share, while some come and go."""

    def __init__(self, before: Mapping[Key, tuple[Resource[Any], ...]]) -> None:
        self._before = before
        self._changed: dict[Key, tuple[Resource[Any], ...] | None] = {}

    def move(self, key: Key, resource: Resource[Any], *, added: bool) -> None:
        """Take a resource out of its group, or put it in."""
        members = self._changed.get(key, self._before.get(key)) or ()
        rest = tuple(each for each in members if each is not resource)
        if added:
            rest = tuple(sorted((*rest, resource), key=lambda each: each.ref.key))
        self._changed[key] = rest or None

    def updated(self) -> Mapping[Key, tuple[Resource[Any], ...]]:
        """Return the groups as they are now."""
        return updated(self._before, self._changed, ordered=False)


def _precedence(
    former: Resource[Model] | None,
) -> Callable[[Reading], tuple[bool, int, Position]]:
    """Order documents with one identity: the one that counts comes first."""

    def precedence(reading: Reading) -> tuple[bool, int, Position]:
        namespace = reading.ref.namespace if reading.ref is not None else ""
        inherited = former is not None and _is_from(former, reading)
        return not inherited, _depth(reading.locator.origin, namespace), _place(reading)

    return precedence


def _is_from(resource: Resource[Model], reading: Reading) -> bool:
    """Tell whether a resource was read from the file of another reading."""
    return resource.locator.origin == reading.locator.origin


def _depth(origin: str, namespace: str) -> int:
    """
    Tell how deep the folder is that a namespace belongs to; deeper than all if there is none.

    A team can make a folder called like another team's, but below its own only.
    """
    *folders, _ = origin.split("/")
    return folders.index(namespace) if namespace in folders else _NOWHERE


def _place(reading: Reading) -> Position:
    return reading.locator.value("metadata", "name")


def _duplicate(ref: ResourceRef, first: Position, other: Position) -> Diagnostic:
    return Diagnostic(
        rule=rules.DUPLICATE_RESOURCE,
        resource=ref,
        position=other,
        message=f"{ref} is defined twice; this one is not used",
        help="remove one of the two, or give it another name",
        related=(("first here", first),),
    )


def _service_of(piece: Resource[EndpointSlice]) -> Key | None:
    service = piece.labels.get(SERVICE_LABEL)
    return None if service is None else (piece.ref.namespace, service)


def _folder(resource: Resource[Any]) -> str:
    return resource.locator.origin.rpartition("/")[0]

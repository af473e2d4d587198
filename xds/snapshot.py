"""
What one proxy is to be served: named, versioned, encoded resources, as immutable values.

Every version is a hash of content: it survives restarts, is the same on every replica, and
changes exactly when what the client gets would change. Those of a whole do not depend on the way
to it, and the next snapshot costs what changed.
"""

from __future__ import annotations

import operator
import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xds.resource import Part, Resource, digest
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, REFERS_TO, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = ["Changes", "Part", "Resource", "Snapshot", "combined_version"]

_NOTHING: Final[Mapping[str, Resource]] = MappingProxyType({})
_Edits = dict[str, "Resource | None"]
"""By name, what takes the place of a resource; None where nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of the resources of one type, by name, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Those of another version."""
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.added or self.changed or self.removed)

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        yield from self.added
        yield from self.changed
        yield from self.removed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """All resources of one type."""

    version: str
    resources: Mapping[str, Resource] = field(default_factory=dict)
    """By name, sorted; replaced, never changed."""
    total: int = 0
    """The sum of their hashes; see `_hash_of`."""
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """
    Of clusters: by what they require, who does; without what is required by a cluster of the same
    name and no other, as nearly all endpoints are.
    """

    def users_of(self, name: str) -> tuple[str, ...]:
        """Return the clusters that require something, sorted."""
        users = self.users.get(name)
        if users is None:
            namesake = self.resources.get(name)
            users = (name,) if namesake is not None and name in namesake.requires else ()
        return users


class Snapshot:
    """
    Everything that one proxy is to be served; immutable, compared by content.

    The version of a load assignment mixes in those of the clusters that use it. Envoy waits for
    the endpoints of a cluster again when the cluster was changed, without always asking for
    them; this way they are sent again, on a running stream and also to a client that
    reconnects and tells which versions it has.
    """

    __slots__ = ("__weakref__", "_compared", "_types", "version_info")

    version_info: str
    """The version of the whole."""

    def __init__(self, types: Mapping[str, _Type]) -> None:
        self._types = {url: types[url] for url in sorted(types) if types[url].resources}
        self._compared: tuple[weakref.ref[Snapshot], Mapping[str, Changes]] | None = None
        """The snapshot that it was compared with last, and how it differs from that."""
        self.version_info = _version(
            *(part.encode() for url, kind in self._types.items() for part in (url, kind.version))
        )

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Snapshot:
        """
        Make a snapshot.

        Raises:
            ValueError: Two resources of one type have the same name.
        """
        return cls({}).updated(resources)

    def updated(
        self, changed: Iterable[Resource], removed: Iterable[tuple[str, str]] = ()
    ) -> Snapshot:
        """
        Return the next snapshot; what it costs depends on what changed, but for copies of dicts.

        Args:
            changed: What is new, or takes the place of what has its name. Load assignments may
                be as they were made or as a snapshot has them.
            removed: What is there no longer, by type and name.

        Raises:
            ValueError: Two of the resources have the same type and name.
        """
        edits: defaultdict[str, _Edits] = defaultdict(dict)
        for type_url, name in removed:
            edits[type_url][name] = None
        for resource in changed:
            of_type = edits[resource.type_url]
            if of_type.get(resource.name) is not None:
                raise ValueError(
                    f"two {_short(resource.type_url)} resources are called {resource.name!r}"
                )
            of_type[resource.name] = resource
        types = dict(self._types)
        if CLUSTER in edits:
            types[CLUSTER] = _edited(CLUSTER, types.get(CLUSTER), edits[CLUSTER])
        if CLUSTER in edits or LOAD_ASSIGNMENT in edits:
            edits[LOAD_ASSIGNMENT] = self._mixed(types.get(CLUSTER), edits)
        for type_url, of_type in edits.items():
            if type_url != CLUSTER:
                types[type_url] = _edited(type_url, types.get(type_url), of_type)
        snapshot = Snapshot(types)
        snapshot._compared = weakref.ref(self), _changes(self, edits)
        return snapshot

    def replace(self, type_url: str, resources: Iterable[Resource]) -> Snapshot:
        """
        Return a snapshot with other resources of one type.

        Raises:
            ValueError: Two of the resources have the same name, or one is of another type.
        """
        mine = self.resources(type_url)
        given: dict[str, Resource] = {}
        for resource in resources:
            if resource.type_url != type_url:
                raise ValueError(f"{resource.name!r} is a {resource.type_url}, not a {type_url}")
            if resource.name in given:
                raise ValueError(f"two {_short(type_url)} resources are called {resource.name!r}")
            given[resource.name] = resource
        return self.updated(
            [resource for name, resource in given.items() if mine.get(name) is not resource],
            [(type_url, name) for name in mine if name not in given],
        )

    def _mixed(self, clusters: _Type | None, edits: Mapping[str, _Edits]) -> _Edits:
        """Give all load assignments that change, or whose clusters do, the versions they need."""
        before = self._types.get(LOAD_ASSIGNMENT)
        there = _NOTHING if before is None else before.resources
        given = edits.get(LOAD_ASSIGNMENT, {})
        concerned = dict.fromkeys(given)
        for name, cluster in edits.get(CLUSTER, {}).items():
            for each in (self.get(CLUSTER, name), cluster):
                if each is not None:
                    concerned.update(dict.fromkeys(each.requires))
        mixed: _Edits = {}
        for name in concerned:
            old = there.get(name)
            resource = given.get(name, old)
            if resource is None:
                if old is not None:
                    mixed[name] = None
                continue
            users = () if clusters is None else clusters.users_of(name)
            versions = (clusters.resources[user].version for user in users) if clusters else ()
            version = _version("\n".join((resource.content, *versions)).encode())
            if old is None or (old.version, old.content) != (version, resource.content):
                known = resource.version == version
                mixed[name] = resource if known else resource.with_version(version)
        return mixed

    def changes(self, previous: Snapshot) -> Mapping[str, Changes]:
        """
        Return what is different from another snapshot, by type, where anything is.

        The answer is kept until another one is asked for: every stream of a proxy asks the same.
        """
        if self._compared is not None and self._compared[0]() is previous:
            return self._compared[1]
        edits: dict[str, _Edits] = {}
        for url in {**self._types, **previous._types}:
            if self.version(url) != previous.version(url):
                there, before = self.resources(url), previous.resources(url)
                # Nearly all are the very same objects, which is quickly seen.
                edits[url] = {
                    name: resource
                    for name, resource in there.items()
                    if before.get(name) is not resource
                }
                edits[url].update(dict.fromkeys(before.keys() - there.keys()))
        changes = _changes(previous, edits)
        self._compared = weakref.ref(previous), changes
        return changes

    def resources(self, type_url: str) -> Mapping[str, Resource]:
        """Return the resources of a type by name, sorted."""
        kind = self._types.get(type_url)
        return _NOTHING if kind is None else kind.resources

    def get(self, type_url: str, name: str) -> Resource | None:
        """Return a resource, if there is one of that name."""
        return self.resources(type_url).get(name)

    def version(self, type_url: str) -> str:
        """Return the version of all resources of a type."""
        kind = self._types.get(type_url)
        return combined_version(type_url, ()) if kind is None else kind.version

    def version_of(self, type_url: str, resources: Collection[Resource]) -> str:
        """Return the version of some resources of a type, sorted; it may be the whole of it."""
        there = self.resources(type_url)
        if len(resources) == len(there) and all(map(operator.is_, resources, there.values())):
            return self.version(type_url)
        return combined_version(type_url, resources)

    def types(self) -> tuple[str, ...]:
        """Return the types of which there is any resource, sorted."""
        return tuple(self._types)

    def inconsistencies(self) -> tuple[str, ...]:
        """
        Return what does not fit together, in words; nothing if a client can be served.

        A reference to nothing makes Envoy wait or answer 503. Endpoints and routes that
        nothing refers to are never asked for. An unused cluster is no mistake.
        """
        return tuple(
            problem
            for owner in (CLUSTER, LISTENER, ROUTE_CONFIGURATION)
            for problem in self._dangling(owner)
        )

    def _dangling(self, owner: str) -> list[str]:
        target = REFERS_TO[owner]
        there = self.resources(target)
        required: dict[str, str] = {}
        for resource in self.resources(owner).values():
            for name in resource.requires:
                required.setdefault(name, resource.name)
        problems = [
            f"{_short(owner)} {required[name]!r} refers to {_short(target)} {name!r}, "
            "which does not exist"
            for name in sorted(required.keys() - there.keys())
        ]
        if target != CLUSTER:
            problems += [
                f"{_short(target)} {name!r} is used by no {_short(owner)}"
                for name in there
                if name not in required
            ]
        return problems

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self.version_info == other.version_info

    def __hash__(self) -> int:
        return hash(self.version_info)

    def __repr__(self) -> str:
        return f"<Snapshot {self.version_info}>"


def combined_version(type_url: str, resources: Iterable[Resource]) -> str:
    """
    Return the version of several resources, which for a single one is its own.

    Else it is made of the sum of their hashes. So that of a snapshot's ten thousand is known from
    the one before and the few that changed.
    """
    several = tuple(resources)
    return _combined(type_url, several[:2], sum(map(_hash_of, several)))


def _combined(type_url: str, some: tuple[Resource, ...], total: int) -> str:
    if len(some) == 1:
        return some[0].version
    return _version(type_url.encode(), (total % _MODULUS).to_bytes(_HASH_BYTES))


_HASH_BYTES: Final = 32
_MODULUS: Final = 1 << 8 * _HASH_BYTES


def _hash_of(resource: Resource) -> int:
    """Return a hash of a resource's name and version, as a number that can be added to others."""
    return int.from_bytes(digest(resource.version.encode(), resource.name.encode()))


def _edited(type_url: str, before: _Type | None, edits: _Edits) -> _Type:
    """Return the resources of a type after some edits."""
    old = _Type(version="") if before is None else before
    resources = dict(old.resources)
    total = old.total
    for name, resource in edits.items():
        former = resources.get(name)
        if former is not None and (resource is None or resource.version != former.version):
            total -= _hash_of(former)
        if resource is None:
            resources.pop(name, None)
            continue
        if former is None or resource.version != former.version:
            total += _hash_of(resource)
        resources[name] = resource
    if any(name not in old.resources for name in edits):
        resources = {name: resources[name] for name in sorted(resources)}
    total %= _MODULUS
    some = tuple(resources.values()) if len(resources) == 1 else ()
    return _Type(
        version=_combined(type_url, some, total),
        resources=resources,
        total=total,
        users=_users(old, edits) if type_url == CLUSTER else old.users,
    )


def _users(before: _Type, edits: _Edits) -> Mapping[str, tuple[str, ...]]:
    """Note who requires what after some edits of clusters; see `_Type.users`."""
    users: dict[str, set[str]] = {}
    for name, cluster in edits.items():
        former = before.resources.get(name)
        for required in former.requires if former is not None else ():
            users.setdefault(required, set(before.users_of(required))).discard(name)
        for required in cluster.requires if cluster is not None else ():
            users.setdefault(required, set(before.users_of(required))).add(name)
    noted = dict(before.users)
    for required, names in users.items():
        noted.pop(required, None)
        if names and names != {required}:
            noted[required] = tuple(sorted(names))
    return noted


def _changes(before: Snapshot, edits: Mapping[str, _Edits]) -> Mapping[str, Changes]:
    """Say what some edits change: nothing where an object of the same version is put."""
    changes: dict[str, Changes] = {}
    for type_url, of_type in edits.items():
        old = before.resources(type_url)
        added, changed, removed = [], [], []
        for name in sorted(of_type):
            resource = of_type[name]
            if resource is None:
                if name in old:
                    removed.append(name)
            elif name not in old:
                added.append(name)
            elif old[name].version != resource.version:
                changed.append(name)
        found = Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed))
        if found:
            changes[type_url] = found
    return changes


def _version(*parts: bytes) -> str:
    """Return 64 bits of a hash: versions only have to differ from earlier ones."""
    return digest(*parts)[:8].hex()


def _short(type_url: str) -> str:
    return type_url.rpartition(".")[2]

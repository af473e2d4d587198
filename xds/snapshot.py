"""
What one proxy is to be served: named, versioned, encoded resources, as immutable values.

Every version is a hash of content: it survives restarts, is the same on every replica, and
changes exactly when what the client gets would change.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections import defaultdict
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, REFERS_TO, ROUTE_CONFIGURATION
from xds.wire import field, header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NOTHING: Final[Mapping[str, Resource]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """
    One resource of one version, encoded once for all clients.

    In both protocols a response holds the body behind a short header, so that the body itself is
    never copied before the response is joined.
    """

    type_url: str
    """What it is."""
    name: str
    """The name by which clients ask for it, unique among its type."""
    version: str
    """The content's hash; for a load assignment in a snapshot, mixed with its clusters'."""
    content: str
    """A hash of the type and the body."""
    body: bytes
    """The serialised message."""
    requires: frozenset[str]
    """The names it refers to; their type is given by `xds.types.REFERS_TO`."""
    sotw_header: bytes
    """With the body behind it, one `resources` field of a DiscoveryResponse."""
    delta_header: bytes
    """With the body behind it, one `resources` field of a DeltaDiscoveryResponse."""

    @classmethod
    def of(cls, type_url: str, name: str, body: bytes, *, requires: Iterable[str] = ()) -> Resource:
        """Make a resource from its serialised message."""
        content = _hash(type_url.encode(), body)
        return cls._encode(type_url, name, content, content, body, frozenset(requires))

    def with_version(self, version: str) -> Resource:
        """Return the same content under another version."""
        return self._encode(
            self.type_url, self.name, version, self.content, self.body, self.requires
        )

    @classmethod
    def _encode(
        cls,
        type_url: str,
        name: str,
        version: str,
        content: str,
        body: bytes,
        requires: frozenset[str],
    ) -> Resource:
        # google.protobuf.Any: type_url = 1, value = 2
        any_header = _type_field(type_url) + header(2, len(body))
        any_length = len(any_header) + len(body)
        # envoy.service.discovery.v3.Resource: version = 1, resource = 2, name = 3; the order of
        # fields is free, so the body can be last.
        resource_header = (
            field(1, version.encode()) + field(3, name.encode()) + header(2, any_length)
        )
        # `resources` is field 2 of both responses.
        return cls(
            type_url=type_url,
            name=name,
            version=version,
            body=body,
            content=content,
            requires=requires,
            sotw_header=header(2, any_length) + any_header,
            delta_header=header(2, len(resource_header) + any_length)
            + resource_header
            + any_header,
        )

    @property
    def sotw_parts(self) -> tuple[bytes, bytes]:
        """Return the parts of one `resources` field of a DiscoveryResponse."""
        return self.sotw_header, self.body

    @property
    def delta_parts(self) -> tuple[bytes, bytes]:
        """Return the parts of one `resources` field of a DeltaDiscoveryResponse."""
        return self.delta_header, self.body


@dataclass(frozen=True, slots=True)
class _Type:
    """All resources of one type."""

    given: Mapping[str, Resource]
    """As they were made, sorted by name."""
    served: Mapping[str, Resource]
    """With the versions that clients see."""
    version: str


class Snapshot:
    """
    Everything that one proxy is to be served; immutable, compared by content.

    The version of a load assignment mixes in those of the clusters that use it. Envoy waits for
    the endpoints of a cluster again when the cluster was changed, without always asking for
    them; this way they are sent again, on a running stream and also to a client that
    reconnects and tells which versions it has.
    """

    __slots__ = ("_types", "version_info")

    version_info: str
    """The version of the whole."""

    def __init__(self, types: Mapping[str, _Type]) -> None:
        self._types = {url: types[url] for url in sorted(types) if types[url].served}
        self.version_info = _hash(
            *(part.encode() for url, kind in self._types.items() for part in (url, kind.version))
        )

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Snapshot:
        """
        Make a snapshot.

        Raises:
            ValueError: Two resources of one type have the same name.
        """
        by_type: defaultdict[str, list[Resource]] = defaultdict(list)
        for resource in resources:
            by_type[resource.type_url].append(resource)
        types = {url: _given(url, items) for url, items in by_type.items()}
        return cls(_serve_endpoints(types, {}))

    def replace(self, type_url: str, resources: Iterable[Resource]) -> Snapshot:
        """
        Return a snapshot with other resources of one type.

        The other types are shared with this snapshot, so that the cost is that of the one type.

        Raises:
            ValueError: Two of the resources have the same name.
        """
        types = {**self._types, type_url: _given(type_url, resources)}
        if type_url in {CLUSTER, LOAD_ASSIGNMENT}:
            return Snapshot(_serve_endpoints(types, self._types))
        return Snapshot(types)

    def resources(self, type_url: str) -> Mapping[str, Resource]:
        """Return the resources of a type by name, sorted."""
        kind = self._types.get(type_url)
        return _NOTHING if kind is None else kind.served

    def given(self, type_url: str) -> Mapping[str, Resource]:
        """
        Return the resources of a type as they were made, by name, sorted.

        A snapshot of these again is equal to this one; one of those that are served would mix
        versions into each other that are mixed already.
        """
        kind = self._types.get(type_url)
        return _NOTHING if kind is None else kind.given

    def get(self, type_url: str, name: str) -> Resource | None:
        """Return a resource, if there is one of that name."""
        return self.resources(type_url).get(name)

    def version(self, type_url: str) -> str:
        """Return the version of all resources of a type."""
        kind = self._types.get(type_url)
        return combined_version(type_url, ()) if kind is None else kind.version

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
    """Return the version of several resources, which for a single one is its own."""
    versions = [(resource.name, resource.version) for resource in resources]
    if len(versions) == 1:
        return versions[0][1]
    return _hash(
        type_url.encode(), "\n".join(f"{name}\t{version}" for name, version in versions).encode()
    )


@functools.cache
def _type_field(type_url: str) -> bytes:
    return field(1, type_url.encode())


def _given(type_url: str, resources: Iterable[Resource]) -> _Type:
    given: dict[str, Resource] = {}
    for resource in sorted(resources, key=operator.attrgetter("name")):
        if resource.type_url != type_url:
            raise ValueError(f"{resource.name!r} is a {resource.type_url}, not a {type_url}")
        if resource.name in given:
            raise ValueError(f"two {_short(type_url)} resources are called {resource.name!r}")
        given[resource.name] = resource
    frozen = MappingProxyType(given)
    return _Type(frozen, frozen, combined_version(type_url, given.values()))


def _serve_endpoints(
    types: Mapping[str, _Type], previous: Mapping[str, _Type]
) -> Mapping[str, _Type]:
    """Mix the versions of the clusters into those of their load assignments."""
    if LOAD_ASSIGNMENT not in types:
        return types
    given = types[LOAD_ASSIGNMENT].given
    users: defaultdict[str, list[str]] = defaultdict(list)
    if CLUSTER in types:
        for cluster in types[CLUSTER].given.values():
            for name in cluster.requires:
                users[name].append(cluster.version)
    before = previous[LOAD_ASSIGNMENT].served if LOAD_ASSIGNMENT in previous else _NOTHING
    served = {}
    for name, resource in given.items():
        version = _hash("\n".join((resource.content, *users.get(name, ()))).encode())
        old = before.get(name)
        served[name] = (
            old if old is not None and old.version == version else resource.with_version(version)
        )
    if served == before:
        kind = previous[LOAD_ASSIGNMENT]
        return {**types, LOAD_ASSIGNMENT: replace(kind, given=given)}
    kind = _Type(
        given, MappingProxyType(served), combined_version(LOAD_ASSIGNMENT, served.values())
    )
    return {**types, LOAD_ASSIGNMENT: kind}


def _hash(*parts: bytes) -> str:
    """
    Return 64 bits of SHA-256: versions only have to differ from earlier ones of the same name.

    Each part goes in with its length, so that no two lists of parts look the same.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()[:16]


def _short(type_url: str) -> str:
    return type_url.rpartition(".")[2]

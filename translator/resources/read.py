"""From a parsed document to a typed resource."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from translator.parse import Document, Flaw, Locator, Path, Surprise
from translator.report import Diagnostic, ResourceRef, closest, quote, rules
from translator.resources.base import Model, changed, validate
from translator.resources.kinds import KINDS, Kind, NoKind, find_kind
from translator.resources.matcher import Matcher
from translator.resources.metadata import (
    IGNORED_METADATA,
    CoreEnvelope,
    Envelope,
    Metadata,
    TypeMeta,
)
from translator.resources.resource import Resource
from translator.resources.route import BrokenRoute, Route, RouteEntry
from translator.resources.shape import fields
from translator.resources.specs import VirtualHost, VirtualServiceSpec
from translator.resources.validate import Checker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

M = TypeVar("M", bound=Model)

DEFAULT_NAMESPACE = "gloo-system"
"""The namespace of a resource that has none and lies in no folder."""

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
"""A label of RFC 1123, as Kubernetes wants namespaces."""
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
"""A subdomain of RFC 1123, as Kubernetes wants names."""
_METADATA_FIELDS = tuple(fields(Metadata))
_ROUTE_FIELDS = tuple(fields(Route))
_NO_ROUTES: Mapping[int, Any] = MappingProxyType({})
"""What nearly all readings have in common."""
_NAME_RULE = "use lower-case letters, digits, '-' and '.', at most 253"
_NAMESPACE_RULE = "use lower-case letters, digits and '-', at most 63"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What came of one document."""

    ref: ResourceRef | None
    """The identity, as far as it could be read; None for a kind that Penstock does not use."""
    resource: Resource[Model] | None
    """The resource; None if it is broken or not used."""
    locator: Locator
    """Finds places in the document."""
    diagnostics: tuple[Diagnostic, ...]
    """What is wrong with it, in the order of the text."""
    routes: Mapping[int, tuple[Diagnostic, ...]]
    """Those among them that break a route only, by its index."""

    @property
    def broken(self) -> ResourceRef | None:
        """The identity of a resource that exists but is invalid."""
        return self.ref if self.resource is None else None


def folder_namespace(origin: str) -> str:
    """Give the namespace of documents without one: the name of their folder, or `gloo-system`."""
    folders = origin.split("/")[:-1]
    folder = folders[-1] if folders else ""
    # The resources of a folder share one text.
    return intern(folder) if folder not in {"", ".", ".."} else DEFAULT_NAMESPACE


def read(document: Document, *, folder_namespace: str) -> Reading:
    """
    Read a document as the resource that its type says.

    The unit of damage is the route: a mistake inside an entry of `spec.routes` or
    `spec.virtualHost.routes` puts a `BrokenRoute` in its place. A mistake anywhere else breaks the
    resource, an unknown field of the spec included, because nobody can say what it was to change.

    Args:
        document: The document.
        folder_namespace: The namespace if the document has none.
    """
    api_version, name = document.data.get("apiVersion"), document.data.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str):
        return _without_type(document)
    kind = find_kind(api_version, name)
    if isinstance(kind, NoKind):
        return _without_kind(document, kind, name, folder_namespace)
    ref = _identity(document, kind.name, folder_namespace)
    if document.unreadable:
        return _reading(document, ref, document.flaws)
    return _Reader(document, kind, ref, folder_namespace).read()


def _without_type(document: Document) -> Reading:
    """Read a document that does not say what it is."""
    flaws = document.flaws
    if not document.unreadable:
        check = Checker(None, document.locator, flaws)
        if "apiVersion" in document.data or "kind" in document.data:
            _, found = check.check(TypeMeta, document.data, ())
        else:
            message = "this is not a resource: it has no apiVersion and no kind"
            advice = "move it to another folder, or begin its name with a dot"
            place = document.locator.value()
            found = (check.flaw(rules.NOT_A_RESOURCE, (), place, message, advice),)
        flaws += found
    return _reading(document, None, flaws)


def _without_kind(document: Document, kind: NoKind, name: str, namespace: str) -> Reading:
    """Read a document of a kind that is not ours, or is not spelt like it."""
    if document.unreadable:
        return _reading(document, None, document.flaws)
    ref = _identity(document, name, namespace)
    check = Checker(ref, document.locator)
    flaw = check.flaw(
        kind.rule, (kind.key,), document.locator.value(kind.key), kind.message, kind.advice
    )
    meant = _identity(document, kind.likely, namespace) if kind.likely in KINDS else None
    return replace(_reading(document, ref, (flaw,)), ref=meant)


def _identity(document: Document, kind: str, folder_namespace: str) -> ResourceRef | None:
    """Say what a document is about, as far as it can be read without checking it."""
    match document.data.get("metadata"):
        case {"name": str(name), "namespace": str(namespace)}:
            return ResourceRef(kind, namespace or folder_namespace, name)
        case {"name": str(name), **others} if not any(map(_is_like_namespace, others)):
            return ResourceRef(kind, folder_namespace, name)
        case _:
            return None


@lru_cache(maxsize=256)
def _is_like_namespace(key: object) -> bool:
    """Tell whether a key is the namespace, or a misspelt one: then nobody knows the identity."""
    if not isinstance(key, str) or key in IGNORED_METADATA:
        return False
    return key == "namespace" or closest(key, _METADATA_FIELDS) == "namespace"


def _reading(
    document: Document,
    ref: ResourceRef | None,
    flaws: tuple[Flaw, ...],
    resource: Resource[Model] | None = None,
    routes: Mapping[int, Iterable[Flaw]] = _NO_ROUTES,
) -> Reading:
    return Reading(
        ref=ref,
        resource=resource,
        locator=document.locator,
        diagnostics=_diagnostics(flaws, ref),
        routes={index: _diagnostics(routes[index], ref) for index in routes} or _NO_ROUTES,
    )


def _diagnostics(flaws: Iterable[Flaw], ref: ResourceRef | None) -> tuple[Diagnostic, ...]:
    diagnostics = (replace(flaw.diagnostic, resource=ref) for flaw in flaws)
    return tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key))


class _Reader:
    """The reading of a document of a kind that Penstock uses."""

    def __init__(
        self, document: Document, kind: Kind, ref: ResourceRef | None, folder_namespace: str
    ) -> None:
        self._document = document
        self._kind = kind
        self._ref = ref
        self._folder_namespace = folder_namespace
        self._check = Checker(ref, document.locator, document.flaws)
        self._flaws: list[Flaw] = []
        """What breaks the resource."""
        self._route_flaws: dict[int, list[Flaw]] = {}
        """What breaks a route, by its index."""
        prefix = self._routes_path
        for flaw in document.flaws:
            match flaw.path[len(prefix) :]:
                case (int(index), *_) if prefix and flaw.path[: len(prefix)] == prefix:
                    self._route_flaws.setdefault(index, []).append(flaw)
                case _:
                    self._flaws.append(flaw)

    @property
    def _routes_path(self) -> Path:
        return ("spec", *self._kind.routes) if self._kind.routes else ()

    def read(self) -> Reading:
        data = self._document.data
        self._read(CoreEnvelope if self._kind.core else Envelope, data, ())
        metadata = self._metadata() if "metadata" in data else None
        spec: Model | None = None
        if self._kind.core:
            spec = self._read(self._kind.model, data, ())
        elif "spec" in data:
            spec = self._spec(data["spec"])
        flaws = (*self._flaws, *chain.from_iterable(self._route_flaws.values()))
        if self._flaws or self._ref is None or metadata is None or spec is None:
            return _reading(self._document, self._ref, flaws)
        resource = Resource(
            ref=self._ref,
            labels=metadata.labels,
            created=_created(self._document),
            spec=spec,
            locator=self._document.locator,
        )
        return _reading(self._document, self._ref, flaws, resource, self._route_flaws)

    def _read(self, model: type[M], data: object, path: Path) -> M | None:
        value, found = self._check.check(model, data, path)
        self._flaws += found
        return value

    def _metadata(self) -> Metadata | None:
        raw = self._document.data["metadata"]
        if isinstance(raw, dict):
            raw = {key: value for key, value in raw.items() if key not in IGNORED_METADATA}
        metadata = self._read(Metadata, raw, ("metadata",))
        if metadata is not None and self._ref is not None:
            self._check_names(self._ref, inherited=not metadata.namespace)
        return metadata

    def _check_names(self, ref: ResourceRef, *, inherited: bool) -> None:
        if len(ref.name) > 253 or not _SUBDOMAIN.fullmatch(ref.name):
            self._bad_name("name", f"{quote(ref.name)} cannot be a name", _NAME_RULE)
        if len(ref.namespace) > 63 or not _LABEL.fullmatch(ref.namespace):
            if inherited:
                message = f"the folder's name {quote(ref.namespace)} cannot be a namespace"
                self._bad_name("namespace", message, "write metadata.namespace")
            else:
                message = f"{quote(ref.namespace)} cannot be a namespace"
                self._bad_name("namespace", message, _NAMESPACE_RULE)

    def _bad_name(self, field: str, message: str, advice: str) -> None:
        path = ("metadata", field)
        place = self._document.locator.value(*path)
        self._flaws.append(self._check.flaw(rules.BAD_NAME, path, place, message, advice))

    def _spec(self, data: object) -> Model | None:
        model, path = self._kind.model, self._kind.routes
        routes = _routes_of(data, path) if path else None
        if path is None or routes is None:
            return self._read(model, data, ("spec",))
        if not self._route_flaws:
            # Nearly all documents are valid, and as a whole they are read fastest.
            with suppress(ValidationError):
                return validate(model, data)
        rest = self._read(model, _with(data, path, []), ("spec",))
        entries = tuple(self._route(index, route) for index, route in enumerate(routes))
        return None if rest is None else _with_routes(rest, entries)

    def _route(self, index: int, data: object) -> RouteEntry:
        path = (*self._routes_path, index)
        route, found = self._check.check(Route, data, path)
        flaws = [*self._route_flaws.get(index, ()), *found]
        if route is not None and not flaws:
            return route
        self._route_flaws[index] = flaws
        route_fields = data if isinstance(data, dict) else {}
        name = route_fields.get("name")
        return BrokenRoute(
            name=name if isinstance(name, str) else "",
            matchers=_matchers(route_fields, path, flaws),
            codes=tuple(sorted({flaw.diagnostic.code for flaw in flaws})),
            delegates="delegateAction" in route_fields,
        )


def _matchers(
    route: Mapping[object, object], path: Path, flaws: list[Flaw]
) -> tuple[Matcher, ...] | None:
    """Read the matchers of a broken route; None if what is broken may be just these."""
    depth = len(path)
    for flaw in flaws:
        match flaw.path[depth:]:
            case () if flaw.diagnostic.rule is not rules.MISSING_FIELD:
                return None
            case ("matchers", *_):
                return None
            case (str(name),) if _is_like_matchers(name):
                return None
    raw = route.get("matchers", [])
    # Without a finding inside they are a list of valid matchers.
    return tuple(validate(Matcher, item) for item in raw) if isinstance(raw, list) else None


@lru_cache(maxsize=256)
def _is_like_matchers(name: str) -> bool:
    return name not in _ROUTE_FIELDS and closest(name, _ROUTE_FIELDS) == "matchers"


def _routes_of(spec: object, path: tuple[str, ...]) -> list[object] | None:
    for name in path:
        if not isinstance(spec, dict):
            return None
        spec = spec.get(name)
    return spec if isinstance(spec, list) else None


def _with(spec: Any, path: tuple[str, ...], value: object) -> object:
    """Copy a value with another one at a path."""
    return {**spec, path[0]: _with(spec[path[0]], path[1:], value)} if path else value


def _with_routes(spec: Model, routes: tuple[RouteEntry, ...]) -> Model:
    match spec:
        case VirtualServiceSpec(virtual_host=VirtualHost() as host):
            host = changed(host, routes=routes)
            return changed(spec, virtual_host=host)
        case _:
            return changed(spec, routes=routes)


def _created(document: Document) -> str:
    match document.data.get("metadata"):
        case {"creationTimestamp": str(time)}:
            return time
        case {"creationTimestamp": Surprise(text=time)}:
            # People and tools leave the quotes off, and YAML then reads a point in time.
            return time
        case _:
            return ""

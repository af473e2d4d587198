from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from translator.report import ResourceRef
from translator.resources import Resource
from translator.resources.base import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translator import ir


WHOLE_KINDS: Final = frozenset({"Gateway", "Upstream", "VirtualService"})
"""The kinds of resources that Envoy can refuse as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMemory:
    """What has to be known of the past to decide about one proxy."""

    served: ir.Proxy
    """What it was served last."""
    whole: bool
    """Whether it was ever served entirely as written; before that there is nothing to hold."""
    good: Mapping[str, tuple[ir.Route, ...]]
    """By virtual host the last good version of each of its routes, one Envoy route for each
    matcher; where all routes are good, the very ones that are served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A resource as it was when it was good last."""

    origin: str
    """Where it was written."""
    text: bytes
    """The text that it was read from; the resource is found in it by its identity."""
    resource: Resource[Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What is known of the newest past of one proxy that Envoy has accepted entirely."""

    proxy: ProxyMemory
    resources: Mapping[ResourceRef, Good]
    """Of that time; at least those of `WHOLE_KINDS`, for no others are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What has to be known of the past to translate; it survives restarts."""

    resources: Mapping[ResourceRef, Good] = field(default_factory=dict)
    """All resources that are there, and those that are gone but still needed; in no order."""
    proxies: Mapping[str, ProxyMemory] = field(default_factory=dict)
    """By name, sorted."""
    proven: Mapping[str, Proven] = field(default_factory=dict)
    """By the name of the proxy; those of which Envoy has accepted anything yet."""


class GoodResources(Mapping[ResourceRef, Resource[Model]]):
    """The resources that were good last."""

    def __init__(self, good: Mapping[ResourceRef, Good]) -> None:
        self._good = good

    def __getitem__(self, ref: ResourceRef) -> Resource[Model]:
        return self._good[ref].resource

    def __iter__(self) -> Iterator[ResourceRef]:
        return iter(self._good)

    def __len__(self) -> int:
        return len(self._good)

"""Where requests are forwarded to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field

from translator.resources.base import (
    Choice,
    Model,
    Ref,
    Texts,
    UInt32,
    message,
    no_texts,
)
from translator.resources.options import HeaderManipulation
from translator.resources.sharing import shared


@message
class Subset(Model):
    """A part of an upstream's endpoints."""

    values: Texts = Field(default_factory=no_texts)
    """Labels that the endpoints must have; the keys must be those of one subset selector."""


@message
class Destination(Model):
    """Where requests go."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "kube": "define an Upstream of type kube and refer to it",
            "consul": "",
            "destinationSpec": "",
        }
    )

    upstream: Ref
    """The upstream; an empty namespace is that of the resource that holds the route."""
    subset: Subset | None = None
    """Restricts the destination to a part of the upstream's endpoints."""


SharedDestination: TypeAlias = Annotated[Destination, shared()]
"""A destination as the routes of a team have it again and again."""


@message
class WeightedDestinationOptions(Model):
    """Options of one share."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "transformations",
                "stagedTransformations",
                "extauth",
                "bufferPerRoute",
                "csrf",
                "extensions",
            ),
            "",
        )
    )

    header_manipulation: HeaderManipulation | None = None
    """Changes to headers of requests that take this share."""


@message
class WeightedDestination(Model):
    """One share of the requests."""

    destination: SharedDestination
    """Where this share goes."""
    weight: UInt32 = 0
    """The share, relative to the sum of all weights."""
    options: WeightedDestinationOptions | None = None
    """Options of this share."""


@message
class MultiDestination(Model):
    """Several destinations with weights."""

    destinations: tuple[WeightedDestination, ...]
    """The shares."""


@message
class RouteAction(Choice):
    """Forward the request."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("single", "multi", "upstreamGroup", "clusterHeader", "dynamicForwardProxy"),
    )
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = EXCLUSIVE
    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"clusterHeader": "", "dynamicForwardProxy": ""}
    )

    single: SharedDestination | None = None
    """One destination."""
    multi: MultiDestination | None = None
    """Several destinations with weights."""
    upstream_group: Ref | None = None
    """An UpstreamGroup; an empty namespace is that of the resource that holds the route."""

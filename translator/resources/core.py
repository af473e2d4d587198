"""The parts of Kubernetes' own kinds that give an upstream its endpoints; the rest is ignored."""

from typing import Annotated

from pydantic import Field

from translator.resources.base import Flag, Integer, Model, Port, Text, excerpt
from translator.resources.sharing import shared


@excerpt
class ServicePort(Model):
    """A port of a Service."""

    name: Text = ""
    """Its name; endpoints are found by it."""
    port: Integer
    """Its number."""


@excerpt
class ServiceSpec(Model):
    """What a Service offers."""

    ports: tuple[ServicePort, ...] = ()
    """Its ports."""


@excerpt
class Service(Model):
    """A Kubernetes Service."""

    spec: Annotated[ServiceSpec, shared()] = Field(default_factory=ServiceSpec)
    """What it offers."""


@excerpt
class PodStatus(Model):
    """Where a Pod runs."""

    pod_ip: Annotated[Text, Field(alias="podIP")] = ""
    """Its address."""


@excerpt
class Pod(Model):
    """A Kubernetes Pod."""

    status: PodStatus = Field(default_factory=PodStatus)
    """Where it runs."""


@excerpt
class TargetRef(Model):
    """The object behind an address."""

    kind: Text = ""
    """Its kind, e.g. `Pod`."""
    name: Text = ""
    """Its name."""
    namespace: Text = ""
    """Its namespace."""


@excerpt
class EndpointConditions(Model):
    """Whether an endpoint may be used."""

    ready: Flag | None = None
    """Unknown counts as ready, as in Kubernetes."""


@excerpt
class SliceEndpoint(Model):
    """One endpoint of a slice."""

    addresses: tuple[Text, ...] = ()
    """Its addresses; Kubernetes says that the first is the one to use."""
    conditions: Annotated[EndpointConditions, shared()] = Field(default_factory=EndpointConditions)
    """Whether it may be used."""
    target_ref: TargetRef | None = None
    """The Pod behind it."""


@excerpt
class SlicePort(Model):
    """A port of all endpoints of a slice."""

    name: Text = ""
    """The name of the Service's port."""
    port: Port | None = None
    """The number."""


@excerpt
class EndpointSlice(Model):
    """A part of a Service's endpoints (`discovery.k8s.io/v1`)."""

    address_type: Text = "IPv4"
    """IPv4, IPv6 or FQDN."""
    endpoints: tuple[SliceEndpoint, ...] = ()
    """The endpoints."""
    ports: Annotated[tuple[SlicePort, ...], shared()] = ()
    """Their ports."""


@excerpt
class SubsetAddress(Model):
    """One address of an Endpoints object."""

    ip: Text
    """The address."""
    target_ref: TargetRef | None = None
    """The Pod behind it."""


@excerpt
class EndpointSubset(Model):
    """Addresses that share ports."""

    addresses: tuple[SubsetAddress, ...] = ()
    """The ready ones."""
    ports: Annotated[tuple[SlicePort, ...], shared()] = ()
    """Their ports."""


@excerpt
class Endpoints(Model):
    """The endpoints of the Service of the same name (`v1`)."""

    subsets: tuple[EndpointSubset, ...] = ()
    """Addresses with their ports."""

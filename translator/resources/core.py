"""The parts of Kubernetes' own kinds that give an upstream its endpoints; the rest is ignored."""

from typing import Annotated

from pydantic import ConfigDict, Field

from translator.resources.base import Flag, Integer, Model, Port, Text


class CoreModel(Model):
    """A message of Kubernetes, of which we read some fields."""

    model_config = ConfigDict(extra="ignore")


class ServicePort(CoreModel):
    """A port of a Service."""

    name: Text = ""
    """Its name; endpoints are found by it."""
    port: Integer
    """Its number."""


class ServiceSpec(CoreModel):
    """What a Service offers."""

    ports: tuple[ServicePort, ...] = ()
    """Its ports."""


class Service(CoreModel):
    """A Kubernetes Service."""

    spec: ServiceSpec = ServiceSpec()
    """What it offers."""


class PodStatus(CoreModel):
    """Where a Pod runs."""

    pod_ip: Annotated[Text, Field(alias="podIP")] = ""
    """Its address."""


class Pod(CoreModel):
    """A Kubernetes Pod."""

    status: PodStatus = PodStatus()
    """Where it runs."""


class TargetRef(CoreModel):
    """The object behind an address."""

    kind: Text = ""
    """Its kind, e.g. `Pod`."""
    name: Text = ""
    """Its name."""
    namespace: Text = ""
    """Its namespace."""


class EndpointConditions(CoreModel):
    """Whether an endpoint may be used."""

    ready: Flag | None = None
    """Unknown counts as ready, as in Kubernetes."""


class SliceEndpoint(CoreModel):
    """One endpoint of a slice."""

    addresses: tuple[Text, ...] = ()
    """Its addresses; Kubernetes says that the first is the one to use."""
    conditions: EndpointConditions = EndpointConditions()
    """Whether it may be used."""
    target_ref: TargetRef | None = None
    """The Pod behind it."""


class SlicePort(CoreModel):
    """A port of all endpoints of a slice."""

    name: Text = ""
    """The name of the Service's port."""
    port: Port | None = None
    """The number."""


class EndpointSlice(CoreModel):
    """A part of a Service's endpoints (`discovery.k8s.io/v1`)."""

    address_type: Text = "IPv4"
    """IPv4, IPv6 or FQDN."""
    endpoints: tuple[SliceEndpoint, ...] = ()
    """The endpoints."""
    ports: tuple[SlicePort, ...] = ()
    """Their ports."""


class SubsetAddress(CoreModel):
    """One address of an Endpoints object."""

    ip: Text
    """The address."""
    target_ref: TargetRef | None = None
    """The Pod behind it."""


class EndpointSubset(CoreModel):
    """Addresses that share ports."""

    addresses: tuple[SubsetAddress, ...] = ()
    """The ready ones."""
    ports: tuple[SlicePort, ...] = ()
    """Their ports."""


class Endpoints(CoreModel):
    """The endpoints of the Service of the same name (`v1`)."""

    subsets: tuple[EndpointSubset, ...] = ()
    """Addresses with their ports."""

"""What all kinds have in common."""

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from translator.resources.base import Model, Text

IGNORED_METADATA = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""The fields of Kubernetes' ObjectMeta whose values are not checked."""


class Metadata(Model):
    """The identity of a resource."""

    name: Text
    """The name; with the kind and the namespace it is unique."""
    namespace: Text | None = None
    """The namespace; the folder's name if unset."""
    labels: Mapping[Text, Text] = Field(default_factory=dict)
    """What selectors go by."""


class TypeMeta(Model):
    """What a document is."""

    model_config = ConfigDict(extra="ignore")

    api_version: Text
    """The group and version of the kind."""
    kind: Text
    """The kind."""


class Envelope(Model):
    """What stands around the spec of Gloo's kinds."""

    api_version: Text
    """The group and version of the kind."""
    kind: Text
    """The kind."""
    metadata: object
    """The identity."""
    spec: object
    """What people want."""
    status: object = None
    """What a controller says about it; not read."""


class CoreEnvelope(TypeMeta):
    """What all of Kubernetes' own kinds begin with."""

    metadata: object
    """The identity."""

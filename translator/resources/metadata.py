"""What all kinds have in common."""

from pydantic import Field

from translator.resources.base import Model, Text, Texts, excerpt, message, no_texts

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


@message
class Metadata(Model):
    """The identity of a resource."""

    name: Text
    """The name; with the kind and the namespace it is unique."""
    namespace: Text | None = None
    """The namespace; the folder's name if unset."""
    labels: Texts = Field(default_factory=no_texts)
    """What selectors go by."""


@excerpt
class TypeMeta(Model):
    """What a document is."""

    api_version: Text
    """The group and version of the kind."""
    kind: Text
    """The kind."""


@message
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


@excerpt
class CoreEnvelope(TypeMeta):
    """What all of Kubernetes' own kinds begin with."""

    metadata: object
    """The identity."""

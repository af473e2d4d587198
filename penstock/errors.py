"""
The world's failures, as exceptions.

A user's mistake in a resource is no exception but a `Diagnostic`. These are raised with context
and caught at the controller and the command line only.

    PenstockError
    ├── SourceError         the place that the resources come from cannot be read
    │   ├── SourceMissing       there is no such place
    │   └── SourceEmpty         it is there and holds nothing to read
    ├── StateError          what was served last cannot be saved
    │   ├── StateInUse          another control plane saves at the same place
    │   └── StateUnwritable     the disk or the directory does not take it
    ├── ListenError         an address that cannot be served on
    ├── CertificateError    a file for TLS that cannot be used
    └── ServerUnreachable   a running server that was asked does not answer
"""

from __future__ import annotations

__all__ = [
    "CertificateError",
    "ListenError",
    "PenstockError",
    "ServerUnreachable",
    "SourceEmpty",
    "SourceError",
    "SourceMissing",
    "StateError",
    "StateInUse",
    "StateUnwritable",
]


class PenstockError(Exception):
    """Base class of all failures that are nobody's mistake in a resource; its text is for users."""


class SourceError(PenstockError):
    """The place that the resources come from cannot be read."""


class SourceMissing(SourceError):  # noqa: N818 (the name is a sentence; the base says error)
    """There is no such place."""


class SourceEmpty(SourceError):  # noqa: N818 (likewise)
    """The place is there and holds nothing to read, like a volume that is not mounted."""


class StateError(PenstockError):
    """What was served last cannot be saved for the next start."""


class StateInUse(StateError):  # noqa: N818 (likewise)
    """Another control plane saves at the same place."""


class StateUnwritable(StateError):  # noqa: N818 (likewise)
    """The disk or the directory does not take what is to be saved; serving goes on without."""


class ListenError(PenstockError):
    """An address that cannot be served on."""


class CertificateError(PenstockError):
    """A certificate, a key or an authority that TLS cannot use."""


class ServerUnreachable(PenstockError):  # noqa: N818 (likewise)
    """A running server that was asked does not answer, or is not one of Penstock's."""

"""
Who a client is by its certificate, and whether it may ask for a proxy (rule 127).

What a client says of itself in its node is a claim. With mutual TLS its certificate is proof, and
an `Authorizer` brings the two together. Every service of the server has to ask it before it tells
anybody anything of a proxy.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from xds.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

_SHOWN: Final = 8
"""How many names of a certificate are told."""
_LONGEST: Final = 512
"""How many characters of them: a denial has to fit into what gRPC takes for a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a client is, by the certificate that TLS has verified."""

    uris: tuple[str, ...] = ()
    """The URIs that it is for; a SPIFFE id is one."""
    dns: tuple[str, ...] = ()
    """The DNS names that it is for."""
    subject: str = ""
    """Whose it is, for people: nothing is decided by it."""
    not_after: datetime | None = None
    """When the certificate expires, if that can be read."""

    @classmethod
    def of(cls, auth_context: Mapping[str, Iterable[bytes]]) -> Identity | None:
        """
        Return who is at the other end of a connection; None without a certificate.

        Args:
            auth_context: What gRPC's servicer context says under this name.
        """
        pem = _first(auth_context, "x509_pem_cert")
        if not pem:
            return None
        subject = _first(auth_context, "x509_subject").decode(errors="backslashreplace")
        try:
            body = pem.partition(b"-----BEGIN CERTIFICATE-----")[2].partition(b"-----END")[0]
            certificate = Certificate.parse(base64.b64decode(body))
        except ValueError:
            # TLS has accepted it. A name that we cannot read is one that no rule matches.
            return cls(subject=subject)
        return cls(
            uris=certificate.uris,
            dns=certificate.dns,
            subject=subject,
            not_after=certificate.not_after,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names that rules can be about."""
        return self.uris + self.dns

    def __str__(self) -> str:
        names = self.names or (self.subject or "a certificate without a name",)
        more = len(names) - _SHOWN
        text = ", ".join(names[:_SHOWN])
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        return text + (f" and {more} more" if more > 0 else "")


class Reason(StrEnum):
    """Why a client may not have what it asks for."""

    ANONYMOUS = "anonymous"
    """It has no certificate, or one without a name that a rule could be about."""
    STRANGER = "stranger"
    """No rule is about it."""
    OTHER_PROXY = "other_proxy"
    """The rules that are about it are not about this proxy."""
    EXPIRED = "expired"
    """Its certificate was valid when a TLS session began that it has resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A no, with its reason."""

    reason: Reason
    text: str
    """What the client is told."""


Authorizer: TypeAlias = Callable[[Identity | None, str], Denial | None]
"""Tells why a client may not ask for the proxy of this name; None if it may."""


def anybody(_: Identity | None, __: str) -> Denial | None:
    """Let everybody ask for every proxy."""
    return None


def _first(auth_context: Mapping[str, Iterable[bytes]], key: str) -> bytes:
    return next(iter(auth_context.get(key, ())), b"")

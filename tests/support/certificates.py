"""Certificates made on the spot: no test needs a key that anybody else could have."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        CertificateIssuerPublicKeyTypes,
    )

_HOUR = dt.timedelta(hours=1)
CERT, KEY, CA = "tls.crt", "tls.key", "ca.crt"
"""What Kubernetes and cert-manager call them."""
USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    cert: bytes
    key: bytes


class Secret:
    """
    A folder of certificates, as Kubernetes mounts a secret.

    The files are links through the link `..data`, and that one is what a change replaces.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = itertools.count(1)
        folder.mkdir(parents=True)
        for name in (CERT, KEY, CA):
            (folder / name).symlink_to(f"..data/{name}")

    def swap(self, pair: Pair, ca: bytes) -> None:
        """Replace all of it at once."""
        version = self.folder / f"..version-{next(self._versions)}"
        version.mkdir()
        for name, content in ((CERT, pair.cert), (KEY, pair.key), (CA, ca)):
            (version / name).write_bytes(content)
        (self.folder / "..new").symlink_to(version.name)
        (self.folder / "..new").rename(self.folder / "..data")

    @property
    def cert(self) -> Path:
        return self.folder / CERT

    @property
    def key(self) -> Path:
        return self.folder / KEY

    @property
    def ca(self) -> Path:
        return self.folder / CA


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, name: str = "test") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"{name} authority")
        public = self._key.public_key()
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = (
            _builder(self._name, self._name, public, _HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self._identifier, critical=False)
        )
        self.cert = _pem(builder.sign(self._key, hashes.SHA256()))
        """Its own certificate, as PEM."""

    def issue(
        self,
        name: str = "",
        *,
        dns: Iterable[str] = (),
        uris: Iterable[str] = (),
        usages: Iterable[str] = ("client", "server"),
        ends_in: dt.timedelta = _HOUR,
        key: CertificateIssuerPrivateKeyTypes | None = None,
    ) -> Pair:
        """Sign a certificate for somebody; `ends_in` may be the past."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = [
            *map(x509.DNSName, dns),
            *map(x509.UniformResourceIdentifier, uris),
        ]
        builder = (
            _builder(_name(name), self._name, key.public_key(), ends_in)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([USAGES[usage] for usage in usages]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not name)
        return Pair(
            _pem(builder.sign(self._key, hashes.SHA256())),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def server(self, *dns: str) -> Pair:
        """Sign a certificate for a server on this machine."""
        return self.issue("server", dns=dns or ["localhost"], usages=["server"])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificateIssuerPublicKeyTypes,
    ends_in: dt.timedelta,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - 2 * _HOUR,
        not_valid_after=now + ends_in,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

"""The files of a server's certificate, its key and its clients' authority, read and checked."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.errors import CertificateError
from xds.certificate import Certificate

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["Material", "TlsFiles"]

_KEYS: Final = {
    "RSA": "06092a864886f70d0101010500",
    "P-256": "06072a8648ce3d020106082a8648ce3d030107",
    "P-384": "06072a8648ce3d020106052b81040022",
    "P-521": "06072a8648ce3d020106052b81040023",
    "Ed25519": "06032b6570",
}
"""
The kinds of keys that gRPC can serve with. Python can load more, and a pair that gRPC refuses
later is refused without a word to us.
"""
_MOST_BYTES: Final = 4 * 1024 * 1024
"""More than any bundle of authorities; what is larger is another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where the server's TLS files are."""

    cert: Path
    """The server's certificate, followed by those of intermediate authorities; PEM."""
    key: Path
    """Its private key, not encrypted; PEM."""
    client_ca: Path | None = None
    """Whose certificates clients must have; None if they need none. PEM, any number."""

    def read(self) -> tuple[bytes, ...]:
        """
        Read the files as they are now: the certificate, the key and, if there is one, the CA.

        Raises:
            CertificateError: One of them cannot be read.
        """
        return tuple(
            _read(path, option)
            for path, option in (
                (self.cert, "--ads-tls-cert"),
                (self.key, "--ads-tls-key"),
                (self.client_ca, "--ads-tls-client-ca"),
            )
            if path is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A certificate, its key, and a clients' authority that fit together."""

    cert: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    not_after: datetime
    """When the certificate expires."""

    @classmethod
    def check(cls, files: TlsFiles, contents: tuple[bytes, ...]) -> Material:
        """
        Check what was read.

        The pair is checked in its files, which may be others by then: who wants to be sure reads
        them once more.

        Args:
            files: Where it is.
            contents: What `files.read()` returned.

        Raises:
            CertificateError: The files cannot be used; the message says which one, and why.
        """
        cert, key, *client_ca = contents
        _check_certificates(cert, files.cert)
        leaf = _leaf(cert, files.cert)
        if leaf.algorithm.hex() not in _KEYS.values():
            raise CertificateError(
                f"{files.cert} is about a kind of key that gRPC cannot serve with; "
                f"it can with {', '.join(_KEYS)}"
            )
        _check_pair(files)
        if client_ca and files.client_ca:
            _check_certificates(client_ca[0], files.client_ca)
        return cls(
            cert=cert,
            key=key,
            client_ca=client_ca[0] if client_ca else None,
            not_after=leaf.not_after,
        )


def _read(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise CertificateError(f"cannot read {path}: {reason}; see {option}") from error
    if len(content) > _MOST_BYTES:
        raise CertificateError(f"{path} is too large for what it should be; see {option}")
    return content


def _check_certificates(pem: bytes, path: Path) -> None:
    """Check every certificate of a file: gRPC stops at the first broken one, and says nothing."""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise CertificateError(f"{path} holds no certificate in PEM")
    try:
        # Beside certificates there may be comments, in any language.
        text = pem.decode("ascii", "ignore")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise CertificateError(
            f"a certificate in {path} is broken or cut off: {_reason(error)}"
        ) from error


def _leaf(pem: bytes, path: Path) -> Certificate:
    first = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    try:
        return Certificate.parse(ssl.PEM_cert_to_DER_cert(first[0].decode() if first else ""))
    except ValueError as error:
        raise CertificateError(f"the first certificate in {path} is broken: {error}") from error


def _check_pair(files: TlsFiles) -> None:
    def no_passphrase() -> str:
        raise CertificateError(f"the key in {files.key} is encrypted; it has to be without")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            files.cert, files.key, password=no_passphrase
        )
    except ssl.SSLError as error:
        if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}:
            raise CertificateError(
                f"the key in {files.key} is not the one of the certificate in {files.cert}"
            ) from error
        if error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
            raise CertificateError(f"{files.cert} is too weak: {_reason(error)}") from error
        # The certificates have been read already.
        raise CertificateError(
            f"{files.key} holds no private key in PEM, or a broken one"
        ) from error
    except OSError as error:  # it was there a moment ago
        raise CertificateError(f"{files.cert} or {files.key} is being replaced") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return "not what it says it is"

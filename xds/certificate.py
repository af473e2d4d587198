r"""
What a certificate says of its owner, read from its DER encoding (RFC 5280).

gRPC tells the names of a client's certificate too, but cuts each off at its first zero byte: a
certificate for `edge\0.example.com` would pass for one of `edge`. Nothing is verified here; that
is done by TLS before, and by its own parser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEQUENCE: Final = 0x30
_OCTET_STRING: Final = 0x04
_UTC_TIME: Final = 0x17
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_URI: Final = 0x86
_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")
"""The object identifier 2.5.29.17."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The part of a certificate that we look at."""

    dns: tuple[str, ...]
    """The DNS names in its subjectAltName."""
    uris: tuple[str, ...]
    """The URIs there, a SPIFFE id among them."""
    not_after: datetime
    """When it expires."""
    algorithm: bytes
    """What kind of key it is about: the content of the DER of its AlgorithmIdentifier."""

    @classmethod
    def parse(cls, der: bytes) -> Certificate:
        """
        Read a certificate.

        Raises:
            ValueError: It is none.
        """
        try:
            tag, certificate, _ = _element(der, 0)
            to_be_signed = _first(certificate)
            fields = [field for field in _elements(to_be_signed) if field[0] != _VERSION]
            _, (time, moment) = _elements(fields[3][1])
            names = tuple(_alternative_names(dict(fields[6:]).get(_EXTENSIONS)))
            not_after = _moment(time, moment)
            algorithm = _first(fields[5][1])
        except IndexError as error:
            raise ValueError("not a certificate") from error
        if tag != _SEQUENCE:
            raise ValueError("not a certificate")
        return cls(
            dns=tuple(_text(name) for kind, name in names if kind == _DNS_NAME),
            uris=tuple(_text(name) for kind, name in names if kind == _URI),
            not_after=not_after,
            algorithm=algorithm,
        )


def _alternative_names(extensions: bytes | None) -> Iterator[tuple[int, bytes]]:
    if extensions is None:
        return
    for _, extension in _elements(_first(extensions)):
        parts = tuple(_elements(extension))
        if parts[0][1] == _SUBJECT_ALT_NAME and parts[-1][0] == _OCTET_STRING:
            yield from _elements(_first(parts[-1][1]))


def _text(name: bytes) -> str:
    # These are ASCII by definition. What is not is shown, and equals no legal name.
    return name.decode("ascii", "backslashreplace")


def _moment(tag: int, digits: bytes) -> datetime:
    text = digits.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text < "50" else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _first(content: bytes) -> bytes:
    """Return the content of the first element that a constructed one is made of."""
    return _element(content, 0)[1]


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what a constructed element is made of, as tags and contents."""
    at = 0
    while at < len(content):
        tag, inner, at = _element(content, at)
        yield tag, inner


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return the tag and the content of the element at a place, and where it ends."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    end = at + length
    if end > len(data):
        raise ValueError("an element of the certificate is cut off")
    return tag, data[at:end], end

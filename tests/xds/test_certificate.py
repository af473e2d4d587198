"""Certificates are read as another library reads them, and names are never cut short."""

import base64
import datetime as dt
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import Authority

from xds.certificate import Certificate
from xds.identity import Identity

AUTHORITY = Authority()
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=300)
URIS = PRINTABLE.map(lambda text: f"spiffe://{text}")


def der(pair):
    return base64.b64decode(b"".join(pair.cert.splitlines()[1:-1]))


GOOD = der(AUTHORITY.issue("somebody", dns=["a.example"], uris=["spiffe://a/b"]))


@given(dns=st.lists(PRINTABLE.filter(bool), max_size=5), uris=st.lists(URIS, max_size=5))
def test_names_are_read_as_they_were_written(dns, uris):
    """All DNS names and URIs of any certificate are read, in their order, and no others."""
    read = Certificate.parse(der(AUTHORITY.issue("somebody", dns=dns, uris=uris)))

    assert (tuple(dns), tuple(uris)) == (read.dns, read.uris)


@pytest.mark.parametrize("lifetime", [dt.timedelta(hours=1), dt.timedelta(days=365 * 40)])
def test_expiry(lifetime):
    """The end of a certificate is read in both forms that there are, before 2050 and after."""
    soon = dt.datetime.now(dt.UTC) + lifetime

    read = Certificate.parse(der(AUTHORITY.issue("somebody", ends_in=lifetime)))

    assert abs(read.not_after - soon) < dt.timedelta(minutes=1)


def test_a_zero_byte_does_not_end_a_name():
    """A certificate for `edge`, a zero byte and more is not one for `edge`, as gRPC reads it."""
    read = Certificate.parse(der(AUTHORITY.issue(dns=["edge\0.evil"], uris=["spiffe://a\0b"])))

    assert (("edge\0.evil",), ("spiffe://a\0b",)) == (read.dns, read.uris)


@given(st.data())
def test_anything_else_is_no_certificate(data):
    """Bytes that are no certificate raise ValueError, however near they come."""
    cut = st.integers(0, len(GOOD) - 1).map(lambda at: GOOD[:at])
    wrong = data.draw(cut | st.binary(max_size=400))

    with pytest.raises(ValueError, match=r"."):
        Certificate.parse(wrong)


@pytest.mark.slow
def test_a_damaged_certificate_is_harmless():
    """Whichever byte is changed, it is a certificate or a ValueError, and nothing else."""
    for at in range(len(GOOD)):
        for byte in (0x00, 0x01, 0x30, 0x7F, 0x80, 0xA3, 0xFF):
            with suppress(ValueError):
                read = Certificate.parse(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
                assert len(read.dns) + len(read.uris) <= 2


def test_identity_of_a_connection():
    """What gRPC tells of a connection gives the names in the certificate, URIs first."""
    pair = AUTHORITY.issue("bob", dns=["b.example"], uris=["spiffe://a/b"])

    identity = Identity.of({"x509_pem_cert": [pair.cert], "x509_subject": [b"CN=bob"]})

    assert ("spiffe://a/b", "b.example") == identity.names
    assert "spiffe://a/b, b.example" == str(identity)


def test_identity_without_names():
    """A certificate without names is shown by its subject, which nothing is decided by."""
    pair = AUTHORITY.issue("bob")

    identity = Identity.of({"x509_pem_cert": [pair.cert], "x509_subject": [b"CN=bob"]})

    assert ((), "CN=bob") == (identity.names, str(identity))


@pytest.mark.parametrize("pem", [b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END"])
def test_identity_of_what_cannot_be_read(pem):
    """A certificate that only TLS can read belongs to nobody that a rule could be about."""
    identity = Identity.of({"x509_pem_cert": [pem], "x509_subject": [b"CN=bob"]})

    assert ((), "CN=bob") == (identity.names, str(identity))


def test_no_identity_without_a_certificate():
    """A connection without TLS, or without a client's certificate, has no identity."""
    assert Identity.of({}) is None
    assert Identity.of({"transport_security_type": [b"ssl"]}) is None


def test_many_names_are_not_all_told():
    """What is told of an identity is bounded."""
    identity = Identity(dns=tuple(f"n{number}" for number in range(20)))

    assert "n0, n1, n2, n3, n4, n5, n6, n7 and 12 more" == str(identity)
    assert f"{'n' * 512}..." == str(Identity(dns=("n" * 10_000,)))

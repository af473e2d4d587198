"""TLS files are checked before they are used, and what is wrong is said."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from support.certificates import Authority

from penstock.certificates import Material, TlsFiles
from penstock.errors import CertificateError

AUTHORITY = Authority()
OTHER = Authority("other")
PAIR, OTHER_PAIR = AUTHORITY.server(), OTHER.server()
RSA = AUTHORITY.issue("rsa", key=rsa.generate_private_key(65537, 2048))
ED25519 = AUTHORITY.issue("ed", key=ed25519.Ed25519PrivateKey.generate())
BITCOIN = AUTHORITY.issue("odd", key=ec.generate_private_key(ec.SECP256K1()))
WEAK = AUTHORITY.issue("weak", key=rsa.generate_private_key(65537, 1024))
GARBAGE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ENCRYPTED = serialization.load_pem_private_key(PAIR.key, None).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"secret"),
)


@pytest.fixture
def load(tmp_path):
    files = TlsFiles(
        cert=tmp_path / "tls.crt", key=tmp_path / "tls.key", client_ca=tmp_path / "ca.crt"
    )

    def load(cert=PAIR.cert, key=PAIR.key, client_ca=AUTHORITY.cert):
        for path, content in zip(
            (files.cert, files.key, files.client_ca), (cert, key, client_ca), strict=True
        ):
            if content is not None:
                path.write_bytes(content)
        return Material.check(files, files.read())

    return load


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"cert": PAIR.cert + AUTHORITY.cert},
        {"cert": "# für alle\n".encode() + PAIR.cert},
        {"client_ca": AUTHORITY.cert + OTHER.cert},
        {"cert": RSA.cert, "key": RSA.key},
        {"cert": ED25519.cert, "key": ED25519.key},
        {"cert": PAIR.cert.replace(b"\n", b"\r\n")},
    ],
    ids=["plain", "chain", "comment", "two authorities", "RSA", "Ed25519", "line ends"],
)
def test_what_fits_together_is_used(load, contents):
    """A pair and an authority, in all the forms that people write, are used byte by byte."""
    material = load(**contents)

    assert material.cert == contents.get("cert", PAIR.cert)
    assert material.key == contents.get("key", PAIR.key)
    assert material.client_ca == contents.get("client_ca", AUTHORITY.cert)
    assert dt.timedelta(0) < material.not_after - dt.datetime.now(dt.UTC) <= dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"cert": None}, "cannot read {}/tls.crt: no such file or directory; see --ads-tls-cert"),
        ({"key": None}, "cannot read {}/tls.key: no such file or directory; see --ads-tls-key"),
        ({"client_ca": None}, "cannot read {}/ca.crt: no such file or directory; see --ads-tls-c"),
        ({"cert": b""}, "{}/tls.crt holds no certificate"),
        ({"cert": PAIR.key}, "{}/tls.crt holds no certificate"),
        ({"cert": PAIR.cert[:-40]}, "a certificate in {}/tls.crt is broken or cut off"),
        ({"cert": PAIR.cert + AUTHORITY.cert[:-40]}, "a certificate in {}/tls.crt is broken or"),
        ({"cert": GARBAGE + PAIR.cert}, "a certificate in {}/tls.crt is broken or cut off"),
        ({"cert": b"x" * 5_000_000}, "{}/tls.crt is too large"),
        ({"key": b""}, "{}/tls.key holds no private key"),
        ({"key": PAIR.cert}, "{}/tls.key holds no private key"),
        ({"key": PAIR.key[:-40]}, "{}/tls.key holds no private key in PEM, or a broken one"),
        ({"key": ENCRYPTED}, "the key in {}/tls.key is encrypted"),
        (
            {"key": OTHER_PAIR.key},
            "the key in {0}/tls.key is not the one of the certificate in {0}",
        ),
        ({"key": RSA.key}, "the key in {0}/tls.key is not the one of the certificate in {0}"),
        (
            {"cert": BITCOIN.cert, "key": BITCOIN.key},
            "{}/tls.crt is about a kind of key that gRPC cannot serve with; it can with RSA, P-256",
        ),
        ({"cert": WEAK.cert, "key": WEAK.key}, "{}/tls.crt is too weak: "),
        ({"client_ca": b""}, "{}/ca.crt holds no certificate"),
        ({"client_ca": PAIR.key}, "{}/ca.crt holds no certificate"),
        ({"client_ca": AUTHORITY.cert + OTHER.cert[:-40]}, "a certificate in {}/ca.crt is broken"),
        ({"client_ca": AUTHORITY.cert + GARBAGE}, "a certificate in {}/ca.crt is broken"),
    ],
)
def test_what_cannot_be_used_is_named(load, tmp_path, contents, words):
    """Whatever is wrong with a file, the error names the file and says what it is."""
    with pytest.raises(CertificateError) as caught:
        load(**contents)

    assert words.format(tmp_path) in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_a_folder_is_no_certificate(load, tmp_path):
    """What cannot be read at all is told in the system's words."""
    (tmp_path / "tls.crt").mkdir()

    with pytest.raises(CertificateError, match=r"cannot read .*/tls.crt: is a directory"):
        load(cert=None)


def test_a_key_is_not_shown(load):
    """The key is not in what a log or a traceback would show of it."""
    assert PAIR.key.decode().splitlines()[1] not in repr(load())

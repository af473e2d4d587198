"""What is sent to many streams is joined once."""

from dataclasses import replace

from conversation import RDS

from xds.discovery import control_plane, encode_delta, encode_sotw
from xds.encoder import Encoder
from xds.exchange import Response
from xds.snapshot import Resource

PLANE = control_plane("penstock/1")


def response(body, **changes):
    made = Response(type_url=RDS, nonce="1", version="v", resources=(Resource.of(RDS, "r", body),))
    return replace(made, **changes)


def test_the_same_response_is_the_same_message():
    """The next stream gets the very bytes; another nonce, protocol or content makes others."""
    encoder = Encoder(PLANE)
    others = [response(b"two"), response(b"one", nonce="2"), response(b"one", removed=("x",))]

    first, again = (encoder.encode("delta", response(b"one")) for _ in range(2))

    assert first is again
    assert encode_sotw(response(b"one"), PLANE) == encoder.encode("sotw", response(b"one"))
    for other in others:
        assert encode_delta(other, PLANE) == encoder.encode("delta", other)


def test_large_messages_are_not_kept():
    """The memory of a large route configuration is freed with its last stream."""
    encoder = Encoder(PLANE)
    large = response(b"x" * 2_000_000)

    assert encoder.encode("delta", large) is not encoder.encode("delta", large)

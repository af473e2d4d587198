"""The little of protobuf's wire format that is needed to join a message from encoded parts."""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=4096)
def header(number: int, length: int) -> bytes:
    """Encode what goes before a length-delimited field (string, bytes or message)."""
    return varint(number << 3 | 2) + varint(length)


def field(number: int, payload: bytes) -> bytes:
    """
    Encode one length-delimited field of a message to be.

    The concatenation of serialised messages is the serialisation of their merger, repeated fields
    being appended. So a large message can be joined from parts that were encoded long before.
    """
    return header(number, len(payload)) + payload


def varint(value: int) -> bytes:
    """Encode an unsigned number, seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)

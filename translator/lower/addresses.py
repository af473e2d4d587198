"""Which addresses Envoy accepts."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

_DNS_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


@lru_cache(maxsize=16_384)
def canonical_ip(text: str) -> str:
    """Spell an IP address as everybody does; what is none stays as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


@lru_cache(maxsize=16_384)
def is_ip(text: str) -> bool:
    """Tell whether a text is an IP address; one with a zone is none to Envoy."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_dns_name(text: str) -> bool:
    """Tell whether a text can be resolved; a name that ends in a number is a mistaken address."""
    labels = text.removesuffix(".").split(".")
    return (
        len(text) <= 253
        and all(_DNS_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )

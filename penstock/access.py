"""
Which client may ask for which proxies: rules over the names in its certificate.

    spiffe://cluster.local/ns/edge/sa/* = gateway-proxy
    *.edge.example.com = gateway-proxy, internal-proxy
    spiffe://cluster.local/ns/ops/sa/debug = *

A client may have what any rule about any of its names allows.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from penstock.moments import iso
from xds.identity import Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from xds.identity import Identity

__all__ = ["Access", "Rule"]

_ANY: Final = "*"
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://[!-.0-~]+(/[!-.0-~]*)*")
_DNS: Final = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*")
_PROXY: Final = re.compile(r"[^\s,=*]+")
_LONGEST: Final = 128
"""How many characters of a proxy's name are told to whoever may not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Lets the clients of some names ask for some proxies."""

    pattern: str
    """
    A URI or a DNS name. A `*` in it stands for one or more characters within one segment of a path
    or one label of a name; `*` alone is every client with a valid certificate.
    """
    proxies: frozenset[str] | None
    """The proxies' names; None if it is all of them."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `PATTERN = PROXY, PROXY`, or `PATTERN = *`.

        Raises:
            ValueError: It is something else; the message says what is wrong.
        """
        # A URI may have an equals sign, the name of a proxy cannot.
        pattern, equals, listed = (part.strip() for part in text.rpartition("="))
        if not equals or not pattern or not listed:
            raise ValueError(f"'{text}' is not PATTERN = PROXY[, PROXY...]")
        if "**" in pattern:
            raise ValueError(f"'{pattern}' has '**': a '*' stays within its segment or label")
        if "://" in pattern:
            if not _URI.fullmatch(pattern):
                raise ValueError(f"'{pattern}' is not a URI such as spiffe://cluster.local/ns/edge")
        else:
            pattern = pattern.lower()
            if not _DNS.fullmatch(pattern):
                raise ValueError(f"'{pattern}' is neither a DNS name nor a URI with '://'")
        if listed == _ANY:
            return cls(pattern=pattern, proxies=None)
        proxies = [name.strip() for name in listed.split(",")]
        for name in proxies:
            if not _PROXY.fullmatch(name):
                raise ValueError(
                    f"'{name}' in '{text}' is not the name of a proxy; "
                    "'*' alone stands for all of them"
                )
        return cls(pattern=pattern, proxies=frozenset(proxies))

    def __str__(self) -> str:
        return f"{self.pattern} = {', '.join(sorted(self.proxies or {_ANY}))}"

    def is_about(self, identity: Identity) -> bool:
        """Tell whether a name of this client matches."""
        if self.pattern == _ANY:
            return True
        matches = _expression(self.pattern).fullmatch
        if "://" in self.pattern:
            return any(map(matches, identity.uris))
        return any(matches(name.lower()) for name in identity.dns)

    def allows(self, proxy: str) -> bool:
        """Tell whether those clients may ask for a proxy."""
        return self.proxies is None or proxy in self.proxies


class Access:
    """Decides by rules; an `xds.identity.Authorizer`."""

    def __init__(self, rules: Sequence[Rule], now: Callable[[], datetime]) -> None:
        """
        Prepare to decide.

        Args:
            rules: Who may ask for what; without a rule every client may ask for every proxy.
            now: Tells the time, by which certificates expire.
        """
        self._rules = tuple(rules)
        self._now = now

    def __call__(self, identity: Identity | None, proxy: str) -> Denial | None:
        """Tell why a client may not ask for a proxy; None if it may."""
        expiry = None if identity is None else identity.not_after
        if expiry is not None and expiry <= self._now():
            # TLS looks at the certificate once, and lets sessions be resumed for days.
            return Denial(
                reason=Reason.EXPIRED, text=f"the certificate of {identity} expired {iso(expiry)}"
            )
        if not self._rules:
            return None
        about = [rule for rule in self._rules if identity is not None and rule.is_about(identity)]
        if any(rule.allows(proxy) for rule in about):
            return None
        if about:
            # The name is the client's own word, of any length.
            name = proxy if len(proxy) <= _LONGEST else f"{proxy[:_LONGEST]}..."
            return Denial(
                reason=Reason.OTHER_PROXY, text=f"{identity} may not ask for the proxy '{name}'"
            )
        if identity is None or not identity.names:
            who = "a client without a certificate" if identity is None else str(identity)
            return Denial(
                reason=Reason.ANONYMOUS, text=f"{who} has no name that a rule could allow"
            )
        return Denial(reason=Reason.STRANGER, text=f"no rule allows {identity} anything")


@functools.lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern; what `*` stands for never reaches beyond its segment or label."""
    within = "[!-.0-~]+" if "://" in pattern else "[a-z0-9_*-]+"
    return re.compile(within.join(map(re.escape, pattern.split(_ANY))))

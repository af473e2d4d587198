"""TLS for the ADS server, with certificates that follow their files."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from penstock.certificates import Material
from penstock.errors import CertificateError
from penstock.events import CertificatesBroken, CertificatesReloaded
from penstock.moments import iso

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from penstock.certificates import TlsFiles
    from penstock.feed import Feed

__all__ = ["Rotation", "TlsState"]

LOOK_SECONDS: Final = 1.0
"""
How often the files are read. They are small, and what they hold is all that tells of a change:
Kubernetes swaps a link above them, and other tools keep times and sizes as they were.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsState:
    """What the server proves itself with, and how its files are."""

    mutual: bool
    """Whether clients need a certificate too."""
    not_after: datetime
    """When the certificate in use expires."""
    problem: str = ""
    """Why the files cannot be used, so that the last good ones are; empty if they can."""
    since: datetime | None = None
    """Since when there is that problem."""


class Rotation:
    """
    Uses a certificate, its key and a clients' authority, and those that replace them.

    Whatever changes, connections go on as they began, and a handshake uses what was good last.
    """

    def __init__(self, files: TlsFiles, feed: Feed, now: Callable[[], datetime]) -> None:
        """
        Read the files for the first time.

        Raises:
            CertificateError: They cannot be used.
        """
        self._files = files
        self._feed = feed
        self._now = now
        self._seen: tuple[bytes, ...] | str = ""
        # gRPC asks for news in threads of its own; to take from a deque is atomic.
        self._news: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        found = self._read()
        if not isinstance(found, Material):
            raise CertificateError(found or f"{files.cert} or {files.key} is being replaced")
        self._material = found
        self._problem: tuple[str, datetime] | None = None

    @property
    def state(self) -> TlsState:
        """Return how it is now."""
        problem, since = self._problem or ("", None)
        return TlsState(
            mutual=self._material.client_ca is not None,
            not_after=self._material.not_after,
            problem=problem,
            since=since,
        )

    def credentials(self) -> grpc.ServerCredentials:
        """Return what one server is to listen with."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._material),
            self._fetch,  # type: ignore[arg-type]  # None is "no news"; the stubs do not know
            require_client_authentication=self._material.client_ca is not None,
        )

    async def run(self) -> None:
        """Follow the files until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read the files, and take what they hold if it is new and good."""
        match await asyncio.to_thread(self._read):
            case None:
                pass
            case Material() as found:
                self._take(found)
            case problem:
                self._refuse(problem)

    def _read(self) -> Material | str | None:
        """
        Return what the files hold, or why it cannot be used; None if there is nothing to say.

        Files that change under our eyes are left for the next look.
        """
        contents = self._contents()
        if contents == self._seen:
            return None
        found: Material | str
        try:
            found = contents if isinstance(contents, str) else Material.check(self._files, contents)
        except CertificateError as error:
            found = str(error)
        # Python checks a pair in its files only: what was checked has to be what was read.
        if self._contents() != contents:
            return None
        self._seen = contents
        return found

    def _contents(self) -> tuple[bytes, ...] | str:
        """Return what is in the files, or why that is not known."""
        try:
            return self._files.read()
        except CertificateError as error:
            return str(error)

    def _take(self, material: Material) -> None:
        now = self._now()
        if material.not_after <= now < self._material.not_after:
            # Whoever cannot see that would trade a good certificate for one that nobody takes.
            self._refuse(f"{self._files.cert} expired at {iso(material.not_after)}")
            return
        changed = material != self._material
        if changed:
            self._material = material
            self._news.append(_configuration(material))
        self._problem = None
        self._feed.publish(CertificatesReloaded(not_after=material.not_after, changed=changed))

    def _refuse(self, problem: str) -> None:
        if self._problem is None or self._problem[0] != problem:
            since = self._problem[1] if self._problem else self._now()
            self._problem = problem, since
            self._feed.publish(
                CertificatesBroken(reason=problem, not_after=self._material.not_after)
            )

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what is new since the last handshake; None if nothing is."""
        try:
            return self._news.pop()
        except IndexError:
            return None


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.cert)], root_certificates=material.client_ca
    )

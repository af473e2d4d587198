from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from penstock.errors import ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Client", "Overview"]

_PATIENCE: Final = 5.0
"""Seconds until a server that does not answer is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Where a server and its Envoys stand."""

    url: str
    """The server."""
    status: Mapping[str, Any]
    """The document `/api/v1/status`."""
    reports: Mapping[str, Any]
    """The document `/api/v1/reports`."""


class Client:
    """Asks one server, directly: the admin address of a control plane is not behind a proxy."""

    def __init__(self, url: str) -> None:
        """
        Prepare to ask.

        Args:
            url: The admin address, such as `http://127.0.0.1:18001`; `http://` may be left out.

        Raises:
            ValueError: It is no such address.
        """
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:18001")
        _ = parts.port  # raises for one that is no number
        self._opener = build_opener(ProxyHandler({}))

    def look(self) -> Overview:
        """
        Ask for everything.

        Raises:
            ServerUnreachable: There is no answer, or none of Penstock's.
        """
        return Overview(
            url=self.url,
            status=self._ask("/api/v1/status", "proxies"),
            reports=self._ask("/api/v1/reports", "findings"),
        )

    def _ask(self, path: str, key: str) -> Mapping[str, Any]:
        try:
            with self._opener.open(self.url + path, timeout=_PATIENCE) as answer:
                document = json.loads(answer.read())
        except HTTPError as error:
            with error:
                reason = f"{path} answers {error.code}"
            raise ServerUnreachable(self._stranger(reason)) from error
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            raise ServerUnreachable(
                f"cannot reach a Penstock server at {self.url}: {text.lower()}; "
                "start one with 'penstock serve', or say where it is with --server"
            ) from error
        except ValueError as error:
            raise ServerUnreachable(self._stranger(f"{path} is not JSON")) from error
        if not isinstance(document, dict) or key not in document:
            raise ServerUnreachable(self._stranger(f"{path} has no '{key}'"))
        return document

    def _stranger(self, reason: str) -> str:
        return (
            f"{self.url} is not the admin address of a Penstock server: {reason}; "
            "say where it is with --server"
        )

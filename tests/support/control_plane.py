from __future__ import annotations

import http.client
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from support.processes import Process
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ControlPlane(Process):
    """
    `penstock serve`, as its own process, on ports that the system chooses.

    Args:
        config: The folder it serves.
        folder: Where its log goes.
        ads_port: A port that it had before, so that an Envoy finds it again after a restart.
        state: Where it keeps what was good last; nowhere if None.
        options: More options of the command line.
    """

    def __init__(
        self,
        config: Path,
        folder: Path,
        ads_port: int = 0,
        state: Path | None = None,
        options: Sequence[object] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            [
                *(sys.executable, "-m", "penstock", "serve", config),
                *("--ads", f"127.0.0.1:{ads_port}"),
                *("--admin", "127.0.0.1:0"),
                *(("--state", state) if state is not None else ()),
                *options,
            ],
            folder / "penstock.log",
        )
        self._read = 0

    def start(self) -> None:
        self._read = self.log.stat().st_size if self.log.exists() else 0
        super().start()
        self.ads_port = self._bound("ads")
        self.admin_port = self._bound("admin")

    def _bound(self, server: str) -> int:
        return wait_until(
            lambda: (
                self.alive()
                and next(
                    (
                        event["port"]
                        for event in self.events("server_bound")
                        if event["server"] == server
                    ),
                    0,
                )
            ),
            f"the port of {server}",
            deadline=30,
        )

    def events(self, name: str) -> list[dict[str, object]]:
        """Return what it has logged under a name since its last start."""
        found = []
        for line in self.log.read_bytes()[self._read :].splitlines():
            # The last line may be half written, and a traceback is no JSON.
            with suppress(json.JSONDecodeError):
                event = json.loads(line)
                if event.get("event") == name:
                    found.append(event)
        return found

    def get(self, path: str) -> dict[str, object]:
        """Ask its admin for JSON."""
        self.alive()
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

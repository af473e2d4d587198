from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING
from unittest import mock

import grpc

from support.waiting import wait_until
from support.wire import Wire
from xds.cache import SnapshotCache
from xds.observer import Observer
from xds.server import AdsServer
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from xds.snapshot import Snapshot


class Blame(Observer):
    """Notes which resources the server holds to be at fault for a NACK."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def rejected(self, stream, type_url, versions, text) -> None:
        self.names += versions


class Ads:
    """
    Our management server alone, in a thread of this process, fed by hand.

    A context manager. It can be stopped and started again, on the same port.

    Args:
        snapshot: What to serve at first.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.wire = Wire()
        self.blame = Blame()
        self.port = 0

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def start(self, *, remembering: bool = False) -> None:
        """Begin to serve, as a new process, or as one that was only out of reach."""
        self._run(self._start(remembering=remembering))

    def stop(self) -> None:
        """End all streams and stop listening."""
        self._run(self._server.drain(0))

    def publish(self, snapshot: Snapshot) -> float:
        """Serve something else, and return the time."""
        self.snapshot = snapshot
        now = time.perf_counter()
        self._loop.call_soon_threadsafe(self._cache.set, "test", snapshot)
        return now

    def settled(self) -> bool:
        """Tell whether the client has accepted the snapshot, and nothing else."""
        return all(
            self._accepted(type_url) == {r.name: r.body for r in resources.values()}
            for type_url in (CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION)
            if (resources := self.snapshot.resources(type_url)) or type_url == CLUSTER
        )

    def wait_until_settled(self, deadline: float = 10.0) -> None:
        """
        Wait until the client has accepted the snapshot.

        It only looks at what was said, so that waiting costs the client nothing.
        """
        wait_until(self.settled, "the client to accept the snapshot", deadline)

    def _accepted(self, type_url: str) -> dict[str, bytes]:
        accepted = self.wire.accepted.get(type_url, {}).copy()
        if type_url in {CLUSTER, LISTENER}:
            return accepted
        # The client forgets by itself what none of its clusters and listeners refer to.
        return {
            name: body
            for name, body in accepted.items()
            if name in self.snapshot.resources(type_url)
        }

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _finish(self) -> None:
        """Let gRPC's own tasks come to their end, as `asyncio.run` would."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self, *, remembering: bool) -> None:
        if not remembering:
            self._cache = SnapshotCache()
        self._cache.set("test", self.snapshot)
        self._cache.mark_synced()
        self._server = AdsServer(
            self._cache, proxy_of=lambda _: "test", observer=self.blame, identifier="penstock-test"
        )
        make = grpc.aio.server

        def with_wire(*args, **kwargs):
            return make(*args, interceptors=[self.wire], **kwargs)

        with mock.patch("grpc.aio.server", with_wire):
            self.port = await self._server.start(f"127.0.0.1:{self.port}")

"""Serves the gRPC clients that stand in for Envoys, as soon as there is one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.audience import grpc_audience, is_grpc, proxy_name
from penstock.events import GrpcPublished, ReloadFinished, StreamOpened, TranslationFailed
from translator.emit.proxyless import emit_proxyless, proxyless

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.controller import Served
    from penstock.events import Event
    from penstock.feed import Feed
    from penstock.state import State
    from translator import ir
    from translator.emit.proxyless import Proxyless
    from xds.snapshot import Snapshot

__all__ = ["ProxylessServing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What the gRPC clients of one proxy are served."""

    proxy: ir.Proxy
    """What its Envoys are served: valid, or what stands in for it under the policy."""
    encoded: tuple[Proxyless, Snapshot] | None
    """None if a bug of ours keeps it from being encoded, and never did not."""


class ProxylessServing:
    """
    Emits what a proxy is served once more, for gRPC clients.

    Nothing is done for a proxy before its first gRPC client connects. From then on each reload is
    followed, also while none is connected: what the next one gets must not be old. After a
    restart clients wait for the first translation, since what is kept for it is for Envoys.
    """

    def __init__(
        self,
        *,
        state: Callable[[], State],
        served: Served,
        feed: Feed,
        proxyless: Callable[[ir.Proxy, Proxyless | None], Proxyless] = proxyless,
    ) -> None:
        """
        Get ready; `take` is a listener of the feed, `run` a task.

        Args:
            state: Tells what Envoys are served.
            served: Where to put what gRPC clients are served.
            feed: Where to tell about it.
            proxyless: From what Envoys do to what gRPC clients do, and from what they did before.
        """
        self._state = state
        self._served = served
        self._feed = feed
        self._proxyless = proxyless
        self._made: dict[str, _Made | None] = {}
        """By proxy; None for one that is wanted and not made yet."""
        self._work = asyncio.Event()

    def take(self, event: Event) -> None:
        """Follow an event."""
        match event:
            case StreamOpened(stream=stream) if is_grpc(stream.proxy):
                if self._made.setdefault(proxy_name(stream.proxy), None) is None:
                    self._work.set()
            case ReloadFinished() if self._made:
                self._work.set()
            case _:
                pass

    def snapshot(self, proxy: str) -> Snapshot | None:
        """Return what the gRPC clients of a proxy are served, if there ever was one."""
        made = self._made.get(proxy)
        return made.encoded[1] if made is not None and made.encoded is not None else None

    async def run(self) -> None:
        """Serve, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            for name in sorted(self._made):
                await self._serve(name)

    async def _serve(self, name: str) -> None:
        publication = self._state().proxies.get(name)
        made = self._made[name]
        if publication is None or publication.loaded:
            return
        if made is not None and made.proxy == publication.proxy:
            return
        before = made.encoded if made is not None else None
        began = time.monotonic()
        try:
            # In a thread, so that the streams go on meanwhile.
            encoded = await asyncio.to_thread(self._emit, publication.proxy, before)
        except Exception as error:  # noqa: BLE001 (our bug is no reason to stop serving)
            self._made[name] = _Made(proxy=publication.proxy, encoded=before)
            self._feed.publish(TranslationFailed(error=error, proxy=name))
            return
        self._made[name] = _Made(proxy=publication.proxy, encoded=encoded)
        self._served.set(grpc_audience(name), encoded[1])
        if before is None or before[1] != encoded[1]:
            seconds = time.monotonic() - began
            self._feed.publish(GrpcPublished(proxy=name, snapshot=encoded[1], seconds=seconds))

    def _emit(
        self, proxy: ir.Proxy, before: tuple[Proxyless, Snapshot] | None
    ) -> tuple[Proxyless, Snapshot]:
        now = self._proxyless(proxy, before[0] if before is not None else None)
        return now, emit_proxyless(now, before)

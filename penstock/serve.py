"""The composition root: makes all parts of the running program, and owns its tasks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from penstock import logs, version
from penstock.access import Access
from penstock.address import Address
from penstock.admin import AdminServer, application
from penstock.audience import grpc_audience, is_grpc_client, proxy_name
from penstock.connections import Connections
from penstock.controller import Controller
from penstock.convergence import Convergence
from penstock.detective import Detective
from penstock.errors import ListenError
from penstock.eventlog import EventLog
from penstock.events import ReloadFinished
from penstock.feed import Feed
from penstock.judge import Judge
from penstock.keeper import Keeper
from penstock.measures import Measures
from penstock.metrics import Metrics
from penstock.observing import StreamObserver
from penstock.proxyless import ProxylessServing
from penstock.sources.folder import FolderSource
from penstock.status import View
from penstock.store import Store
from penstock.tls import Rotation
from xds.cache import SnapshotCache
from xds.limits import Limits
from xds.server import AdsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container
    from contextlib import AbstractContextManager
    from pathlib import Path

    import grpc

    from penstock.access import Rule
    from penstock.certificates import TlsFiles
    from penstock.feed import Subscription
    from penstock.tls import TlsState
    from xds.discovery import Node

__all__ = ["DEFAULT_PROXY", "Options", "Program", "audience_of", "proxy_of", "run", "running"]

DEFAULT_PROXY: Final = "gateway-proxy"
"""The proxy that an Envoy is if it does not say."""

_log = logs.get_logger()


_YOUNG: Final = 50_000
"""How many new objects there may be before Python looks for cycles among them: an edit makes tens
of thousands, and a fifth of its time would go into looking at them again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator can choose."""

    config: Path
    """The folder or file of resources."""
    ads: Address
    """Where Envoys ask."""
    admin: Address
    """Where status, reports and metrics are."""
    state: Path | None = None
    """Where to keep what is served for the next start; None if it is not kept."""
    drain_seconds: float = 5.0
    """How long the streams may take to end."""
    tls: TlsFiles | None = None
    """What the ADS server proves itself with; None if it has no TLS."""
    allow: tuple[Rule, ...] = ()
    """Which client may ask for which proxies; empty if all of them may ask for all."""
    instance: str = field(default_factory=socket.gethostname)
    """What distinguishes this process from others that serve the same (rule 16)."""
    limits: Limits = field(default_factory=Limits)
    """What Envoys may cost."""


class Program:
    """A running control plane."""

    def __init__(
        self, *, controller: Controller, server: AdsServer, feed: Feed, ads: Address, admin: Address
    ) -> None:
        self.controller = controller
        """Follows the source; its `state` tells what is served."""
        self.server = server
        """Serves Envoys; its `streams()` tells where they stand."""
        self.ads = ads
        """Where Envoys ask, with the port that was really bound."""
        self.admin = admin
        """Where status is, with the port that was really bound."""
        self._feed = feed

    def events(self) -> AbstractContextManager[Subscription]:
        """Subscribe to all that happens from now on; an asynchronous iterator of events."""
        return self._feed.subscribe()

    def reload(self) -> None:
        """Read the source at once, and have tried once more what Envoys refused."""
        self.controller.reload(retry=True)
        self.server.forgive()


def proxy_of(node: Node, known: Container[str]) -> str:
    """
    Tell which proxy an Envoy is.

    Args:
        node: What it says of itself: `metadata.role` is `<namespace>~<proxy>`, as Gloo writes it,
            else `cluster` may be the name of a proxy.
        known: The proxies that exist.
    """
    role = node.metadata.get("role")
    if isinstance(role, str):
        _, _, name = role.partition("~")
        if name:
            return name
    return node.cluster if node.cluster in known else DEFAULT_PROXY


def audience_of(node: Node, known: Container[str]) -> str:
    """
    Tell whose snapshot a client gets: that of a proxy, or of the gRPC clients in its place.

    Args:
        node: What it says of itself; see `proxy_of`.
        known: The proxies that exist.
    """
    proxy = proxy_of(node, known)
    return grpc_audience(proxy) if is_grpc_client(node) else proxy


@contextlib.asynccontextmanager
async def running(options: Options) -> AsyncIterator[Program]:
    """
    Run a control plane in this event loop, for as long as the context lasts.

    It takes no signals. When the context ends, the streams are sent away and everything stops.

    Raises:
        SourceError: There are no resources to start with.
        StateInUse: The state directory belongs to another process.
        ListenError: An address cannot be listened on.
        CertificateError: A file for TLS cannot be used.
    """
    store = Store.open(options.state) if options.state is not None else None
    with contextlib.closing(store) if store is not None else contextlib.nullcontext():
        async with _running(options, store) as program:
            yield program


@contextlib.asynccontextmanager
async def _running(options: Options, store: Store | None) -> AsyncIterator[Program]:
    ending = False
    feed = Feed()
    rotation = Rotation(options.tls, feed, _now) if options.tls is not None else None

    def tls() -> TlsState | None:
        return rotation.state if rotation is not None else None

    cache = SnapshotCache()
    judge = Judge(cache, _now)
    detective = Detective(judge, cache, feed)
    controller = Controller(
        source=FolderSource(options.config),
        served=judge,
        feed=feed,
        keeper=Keeper(store) if store is not None else None,
        judge=judge,
    )
    access = Access(options.allow, _now)
    server = AdsServer(
        cache,
        proxy_of=lambda node: audience_of(node, controller.state.proxies),
        observer=StreamObserver(feed, time.monotonic),
        authorize=lambda identity, audience: access(identity, proxy_name(audience)),
        identifier=f"penstock/{version()} {options.instance}",
        limits=options.limits,
    )
    grpc_clients = ProxylessServing(state=lambda: controller.state, served=cache, feed=feed)
    connections = Connections(_now)
    metrics = Metrics(
        Measures(state=lambda: controller.state, streams=server.streams, now=_now, tls=tls)
    )
    view = View(
        source=controller.source,
        state=lambda: controller.state,
        streams=server.streams,
        connections=connections,
        grpc_snapshot=grpc_clients.snapshot,
        started=_now(),
        now=_now,
        ending=lambda: ending,
        tls=tls,
    )
    for listener in (
        detective.take,
        judge.take,
        connections.take,
        grpc_clients.take,
        EventLog(controller.source.locate).take,
        metrics.take,
        Convergence(feed, time.monotonic).take,
    ):
        feed.listen(listener)

    # With something to serve, Envoys need not wait for the source, nor do without it.
    if not await controller.restore():
        await controller.start()
    with contextlib.closing(options.admin.listen("--admin")) as admin_socket:
        ads = await _start(server, options.ads, rotation.credentials() if rotation else None)
        admin = Address(options.admin.host, admin_socket.getsockname()[1])
        for name, address in (("ads", ads), ("admin", admin)):
            _log.info(logs.SERVER_BOUND, server=name, host=address.host, port=address.port)
        admin_server = AdminServer(application(view, metrics), admin_socket)
        program = Program(controller=controller, server=server, feed=feed, ads=ads, admin=admin)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(admin_server.serve())
                following = [
                    tasks.create_task(controller.run()),
                    tasks.create_task(detective.run()),
                    tasks.create_task(grpc_clients.run()),
                ]
                if rotation is not None:
                    following.append(tasks.create_task(rotation.run()))
                try:
                    yield program
                finally:
                    ending = True
                    streams = len(server.streams())
                    await server.drain(options.drain_seconds)
                    _log.info(logs.STREAMS_DRAINED, streams=streams)
                    for task in following:
                        task.cancel()
                    admin_server.stop()
        except BaseExceptionGroup as group:
            # What went wrong inside the context is no group to whoever opened it.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from group.exceptions[0].__cause__
            raise


def run(options: Options) -> int:
    """Serve until a signal says to end, and return the exit code."""
    return asyncio.run(_serve(options))


async def _serve(options: Options) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def end(number: signal.Signals) -> None:
        if stop.is_set():
            # Whoever asks twice does not want to wait for anything.
            os._exit(128 + number)
        _log.info(logs.SIGNAL_RECEIVED, signal=number.name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # everything is about to be read anyway
    gc.disable()
    async with running(options) as program:
        settling = asyncio.create_task(settle(program))

        def reload() -> None:
            _log.info(logs.SIGNAL_RECEIVED, signal=signal.SIGHUP.name)
            program.reload()

        loop.add_signal_handler(signal.SIGHUP, reload)
        await stop.wait()
        settling.cancel()
    _log.info(logs.PROGRAM_STOPPED)
    return 0


async def settle(program: Program) -> None:
    """
    Keep Python's collector of reference cycles away from all that the first reload makes.

    It would look at each of a million objects again and again, and stop the event loop for as long
    as that takes. They live long, and when they are replaced, no cycle keeps them alive. It is for
    whoever owns the process, and turned the collector off before.
    """
    with program.events() as events:
        async for event in events:
            if isinstance(event, ReloadFinished):
                break
    gc.freeze()
    gc.set_threshold(_YOUNG)
    gc.enable()


async def _start(
    server: AdsServer, address: Address, credentials: grpc.ServerCredentials | None
) -> Address:
    if address.port:
        # gRPC does not tell why an address cannot be had; the system does.
        address.listen("--ads").close()
    try:
        port = await server.start(str(address), credentials)
    except OSError as error:
        raise ListenError(f"{error}; see --ads") from error
    return Address(address.host, port)


def _now() -> datetime:
    return datetime.now(UTC)

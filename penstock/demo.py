"""
Everything on one machine: the control plane, a real Envoy, and the backends.

The backends are the loopback hosts of the upstreams in the configuration, so that a host added
there is answered too. What happens while the demo runs is told by `demo_story`.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from penstock.address import Address
from penstock.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.demo_envoy import Protocol
    from penstock.demo_ports import Need
    from translator import ir

__all__ = ["Options", "command"]

_HOST: Final = "127.0.0.1"
"""The demo is for this machine only."""

_PATIENCE: Final = 30.0
"""How many seconds Envoy may need before it takes requests."""

_PAUSE: Final = 0.02
"""Seconds between two looks whether it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What its user can choose."""

    config: Path
    """The folder of resources."""
    bootstraps: Path
    """The folder of Envoy's bootstraps."""
    protocol: Protocol
    """How Envoy is told of changes."""
    ads: int
    """The port where Envoy asks."""
    admin: int
    """The port of the control plane's status."""
    envoy_admin: int
    """The port of Envoy's own status."""


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default="config",
    envvar="PENSTOCK_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The folder of resources.",
)
@click.option(
    "--bootstraps",
    type=click.Path(path_type=Path),
    default="envoy",
    envvar="PENSTOCK_BOOTSTRAPS",
    show_default=True,
    show_envvar=True,
    help="The folder of Envoy's bootstraps.",
)
@click.option(
    "--protocol",
    type=click.Choice(["sotw", "delta"]),
    default="delta",
    envvar="PENSTOCK_PROTOCOL",
    show_default=True,
    show_envvar=True,
    help="How Envoy is told of changes: everything each time, or what changed.",
)
@click.option(
    "--ads",
    type=click.IntRange(1, 65535),
    default=18000,
    envvar="PENSTOCK_DEMO_ADS",
    show_default=True,
    show_envvar=True,
    help="The port where Envoy asks for its configuration.",
)
@click.option(
    "--admin",
    type=click.IntRange(1, 65535),
    default=18001,
    envvar="PENSTOCK_DEMO_ADMIN",
    show_default=True,
    show_envvar=True,
    help="The port of the control plane's status, reports and metrics.",
)
@click.option(
    "--envoy-admin",
    type=click.IntRange(1, 65535),
    default=19000,
    envvar="PENSTOCK_DEMO_ENVOY_ADMIN",
    show_default=True,
    show_envvar=True,
    help="The port of Envoy's own status.",
)
def command(**choices: object) -> None:
    """
    Run the control plane, a real Envoy and some backends on this machine.

    Edit the YAML in the folder meanwhile: what changes, and how fast, is printed. Ctrl-C ends
    everything.
    """
    from penstock import logs  # noqa: PLC0415 - commands import what they need when they run

    # What happens is told in words instead.
    logs.configure(form="console", level="critical")
    asyncio.run(_run_until_told(Options(**choices)))  # type: ignore[arg-type]  # click checked


async def _run_until_told(options: Options) -> None:
    loop = asyncio.get_running_loop()
    demo = asyncio.current_task()
    assert demo is not None  # noqa: S101 - we are in it
    told = False

    def end() -> None:
        nonlocal told
        if not told:
            told = True
            demo.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        await _run(options)
    except asyncio.CancelledError:
        if not told:
            raise
        click.echo("\nEverything has ended.")


async def _run(options: Options) -> None:
    from penstock.demo_envoy import Envoy, find_envoy, write_bootstrap  # noqa: PLC0415

    find_envoy()  # before the rest, which takes a while to import

    from penstock import serve  # noqa: PLC0415
    from penstock.demo_backends import Backends  # noqa: PLC0415
    from penstock.demo_guide import backend_names, listeners  # noqa: PLC0415
    from penstock.demo_ports import complaints  # noqa: PLC0415
    from penstock.demo_story import Story  # noqa: PLC0415

    proxies = await asyncio.to_thread(_translate, options.config)
    if found := complaints(_needs(options, proxies)):
        raise ListenError("\n".join(found))
    ads, admin, envoy_admin = (
        Address(_HOST, port) for port in (options.ads, options.admin, options.envoy_admin)
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-demo-")))
        bootstrap = folder / "bootstrap.yaml"
        shipped = options.bootstraps / f"bootstrap-{options.protocol}.yaml"
        write_bootstrap(shipped, bootstrap, ads=ads, admin=envoy_admin)
        backends = stack.enter_context(Backends())
        program = await stack.enter_async_context(
            serve.running(serve.Options(config=options.config, ads=ads, admin=admin))
        )
        events = stack.enter_context(program.events())
        story = Story(program.controller, backends)
        story.tell(backends.answer(backend_names(proxies)), "red")
        envoy = await stack.enter_async_context(await Envoy.start(bootstrap, folder / "envoy.log"))
        with _ungrouped():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(envoy.watch())
                await _listening(listeners(proxies, serve.DEFAULT_PROXY))
                story.begin(proxies, serve.DEFAULT_PROXY, status=admin, envoy_status=envoy_admin)
                await story.follow(events)


def _translate(config: Path) -> tuple[ir.Proxy, ...]:
    """Read the folder once, to know which ports are needed."""
    from penstock.sources import FolderReader  # noqa: PLC0415 - takes a while
    from translator.pipeline import translate  # noqa: PLC0415

    return translate(FolderReader(config).read().inputs).proxies


def _needs(options: Options, proxies: tuple[ir.Proxy, ...]) -> Iterator[Need]:
    from penstock.demo_guide import backend_names, listeners  # noqa: PLC0415 - takes a while
    from penstock.demo_ports import Need  # noqa: PLC0415
    from penstock.serve import DEFAULT_PROXY  # noqa: PLC0415

    for port, user, option in (
        (options.ads, "the control plane", "--ads"),
        (options.admin, "the control plane's status", "--admin"),
        (options.envoy_admin, "Envoy's status", "--envoy-admin"),
    ):
        yield Need(
            address=Address(_HOST, port), user=user, remedy=f"choose another port with {option}"
        )
    for address, gateway in listeners(proxies, DEFAULT_PROXY).items():
        remedy = f"change bindPort of the Gateway {gateway}" if gateway else "add a Gateway"
        yield Need(address=address, user="Envoy", remedy=remedy)
    for address, name in backend_names(proxies).items():
        remedy = "change the port of that host in its Upstream"
        yield Need(address=address, user=f"the backend {name}", remedy=remedy)


async def _listening(addresses: Iterable[Address]) -> None:
    """
    Wait until somebody listens on all addresses.

    Raises:
        EnvoyError: It takes too long.
    """
    from penstock.demo_envoy import EnvoyError  # noqa: PLC0415

    try:
        async with asyncio.timeout(_PATIENCE):
            for address in addresses:
                while not await _reachable(address):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise EnvoyError(f"Envoy takes no requests after {_PATIENCE:g} seconds") from None


async def _reachable(address: Address) -> bool:
    try:
        _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:
        return False
    writer.close()
    return True


@contextmanager
def _ungrouped() -> Iterator[None]:
    """Raise what failed in a task as if there were no tasks; one of them is as good as all."""
    try:
        yield
    except ExceptionGroup as group:
        raise group.exceptions[0] from group.exceptions[0].__cause__

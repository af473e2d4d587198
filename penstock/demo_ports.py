"""Who has a port that the demo needs, and what to do about it."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.address import Address

__all__ = ["Need", "complaints"]

_LISTEN = "0A"
"""TCP_LISTEN in the kernel's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """An address that the demo is going to listen on."""

    address: Address
    user: str
    """Who is to listen there."""
    remedy: str
    """How to choose another port."""


def complaints(needs: Iterable[Need]) -> tuple[str, ...]:
    """Say of each address that cannot be had why not, and how to choose another."""
    return tuple(
        f"{need.user} cannot listen on {need.address}: {reason}; {need.remedy}"
        for need in needs
        if (reason := _obstacle(need.address))
    )


def _obstacle(address: Address) -> str:
    """Name what keeps us from an address, or return an empty text."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As all servers do: a connection that has just ended does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        holders = ", ".join(_holders(address.port))
        return f"{holders} has it" if holders else (error.strerror or str(error)).lower()
    return ""


def _holders(port: int) -> Iterator[str]:
    """Yield the processes that listen on a port, as far as this system tells us."""
    # Linux lists the sockets of all users, and the open files of our own processes.
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                _, address, _, state, *rest = line.split()
                if state == _LISTEN and int(address.rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{rest[5]}]")
    if not inodes:
        return
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        # A process may end, or not be ours, at any moment.
        with suppress(OSError):
            if any(str(file.readlink()) in inodes for file in (process / "fd").iterdir()):
                yield f"{(process / 'comm').read_text().strip()} (process {process.name})"

from __future__ import annotations

import signal
import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class EndedError(Exception):
    """A process ended that should run; the message has the end of its log."""


class Process:
    """A process that writes its log to a file; a context manager that ends it."""

    def __init__(self, command: Sequence[str], log: Path, **options) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.options,
            )

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def end(self, number: int = signal.SIGTERM, deadline: float = 10.0) -> int:
        """Ask it to end, wait, and return its exit code."""
        self.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(deadline)
        raise AssertionError(f"does not end within {deadline:g} s\n{self.tail()}")

    def alive(self) -> bool:
        """Return True, or raise with the log if it has ended."""
        if self.process.poll() is not None:
            raise EndedError(f"{self.command} ended with {self.process.returncode}\n{self.tail()}")
        return True

    def tail(self, size: int = 4_000) -> str:
        return self.log.read_text(errors="replace")[-size:]


def free_port(host: str = "127.0.0.1") -> int:
    """
    Let the system choose a port.

    It is free again when this returns, for a process that cannot say which port it got. The
    system hands out others before the same one again.
    """
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]

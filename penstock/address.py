from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Self

from penstock.errors import ListenError

__all__ = ["Address"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    """A name or an IP address, without brackets."""
    port: int
    """0 lets the system choose."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `HOST:PORT`; an IPv6 address stands in brackets.

        Raises:
            ValueError: The text is neither.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or (":" in host and not bracketed):
            raise ValueError(f"'{text}' is not HOST:PORT; an IPv6 address needs brackets")
        if not (port.isascii() and port.isdigit() and int(port) < 2**16):
            raise ValueError(f"'{port}' in '{text}' is not a port from 0 to 65535")
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def listen(self, option: str) -> socket.socket:
        """
        Open a socket here.

        Args:
            option: What its user would change if that fails, for the message.

        Raises:
            ListenError: It is taken, or not an address of this machine.
        """
        try:
            found = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, _, _, _, where = found[0]
            return socket.create_server(where[:2], family=family, backlog=1024)
        except socket.gaierror as error:
            raise ListenError(f"cannot listen on {self}: {error.strerror}; see {option}") from error
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise ListenError(f"cannot listen on {self}: {reason}; see {option}") from error

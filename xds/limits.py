"""What one client may cost, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a server; all of them are generous, for they are to hold on bad days only."""

    streams: int = 20_000
    """How many streams may be open at the same time; at some 50 kB each (rule 116)."""
    introduction_seconds: float = 30.0
    """How long a stream may take to say whose it is."""
    first_bursts: int = 100
    """
    How many clients may be sent their first resources at the same time. When all come back at
    once, the first bursts of all of them would be in memory together (rule 116).
    """
    first_burst_seconds: float = 2.0
    """After how long without a verdict the next client's turn comes all the same."""
    first_wait_seconds: float = 10.0
    """
    After how long a client is served out of turn: a fresh Envoy gives up waiting for its first
    resources after 15 s, and opens its listeners without them.
    """
    requests_per_second: float | None = 100.0
    """
    How many requests of one stream are read each second, verdicts on our responses not counted;
    None for any number (rule 115).
    """
    requests_at_once: int = 1_000
    """How many of them may come at once, after a quiet time."""
    write_seconds: float = 30.0
    """How long a client may take to begin to read a response (rule 114)."""
    write_bytes_per_second: int = 256 * 1024
    """How fast it has to read on from there."""
    keepalive_seconds: float = 30.0
    """How often we ask a silent connection whether it is still there (rule 121)."""
    keepalive_timeout_seconds: float = 10.0
    """How long it may take to answer."""
    connection_seconds: float | None = None
    """
    After how long a connection is told to end, give or take a tenth, so that its client comes
    back to any replica; None for never (rule 122).
    """
    connection_grace_seconds: float = 5.0
    """How long the streams of such a connection go on, for they never end by themselves."""

    def write_deadline(self, size: int) -> float:
        """Return how many seconds the write of so many bytes may take."""
        return self.write_seconds + size / self.write_bytes_per_second

    def channel_options(self) -> tuple[tuple[str, int], ...]:
        """Return the options of the gRPC server, each with its reason."""
        return tuple(self._options())

    def _options(self) -> Iterator[tuple[str, int]]:
        # A state-of-the-world client repeats all names it wants in each request (rule 117).
        yield "grpc.max_receive_message_length", 32 * 1024 * 1024
        yield "grpc.max_send_message_length", -1
        # Dead clients would linger for two hours otherwise (rule 121).
        yield "grpc.keepalive_time_ms", round(self.keepalive_seconds * 1000)
        yield "grpc.keepalive_timeout_ms", round(self.keepalive_timeout_seconds * 1000)
        # Measured on grpcio 1.85: a client that hangs without anything on its way to it is given
        # up after this time only, which by default is a minute.
        yield "grpc.http2.ping_timeout_ms", round(self.keepalive_timeout_seconds * 1000)
        yield "grpc.keepalive_permit_without_calls", 1
        # By default gRPC takes Envoy's own keepalive for an attack and drops the connection (120).
        yield "grpc.http2.min_ping_interval_without_data_ms", 5_000
        yield "grpc.http2.max_ping_strikes", 0
        yield "grpc.http2.max_pings_without_data", 0
        # Without ADS each resource may have a stream of its own (rules 37 and 119).
        yield "grpc.max_concurrent_streams", 100_000
        # A second server on the same port is a mistake, not a replica.
        yield "grpc.so_reuseport", 0
        if self.connection_seconds is not None:
            # gRPC varies the age by a tenth, so that not all clients come back at once (rule 122).
            yield "grpc.max_connection_age_ms", round(self.connection_seconds * 1000)
            yield "grpc.max_connection_age_grace_ms", round(self.connection_grace_seconds * 1000)

"""
Structured logs on standard error: one event for each thing that happened, its facts as keys.

Findings are not logged in full: they are data, with their own report.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

from penstock.findings.excerpt import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from structlog.typing import EventDict, FilteringBoundLogger, Processor

__all__ = ["configure", "get_logger"]

SERVER_BOUND: Final = "server_bound"
PROGRAM_STOPPED: Final = "program_stopped"
SIGNAL_RECEIVED: Final = "signal_received"
STREAMS_DRAINED: Final = "streams_drained"
CERTIFICATES_RELOADED: Final = "certificates_reloaded"
CERTIFICATES_BROKEN: Final = "certificates_broken"

SOURCE_LOST: Final = "source_lost"
SOURCE_RECOVERED: Final = "source_recovered"
SOURCE_AWAITED: Final = "source_awaited"
WATCH_FAILED: Final = "watch_failed"

STATE_LOADED: Final = "state_loaded"
STATE_DAMAGED: Final = "state_damaged"
STATE_SAVED: Final = "state_saved"
STATE_UNWRITABLE: Final = "state_unwritable"

RELOAD_FINISHED: Final = "reload_finished"
SNAPSHOT_PUBLISHED: Final = "snapshot_published"
GRPC_PUBLISHED: Final = "grpc_published"
PROXY_CONVERGED: Final = "proxy_converged"
PROXY_HELD: Final = "proxy_held"
PROXY_RELEASED: Final = "proxy_released"
TRANSLATION_FAILED: Final = "translation_failed"
FINDING_REPORTED: Final = "finding_reported"
FINDING_RESOLVED: Final = "finding_resolved"
FINDINGS_OMITTED: Final = "findings_omitted"

STREAM_OPENED: Final = "stream_opened"
STREAM_REFUSED: Final = "stream_refused"
STREAM_DENIED: Final = "stream_denied"
STREAM_CLOSED: Final = "stream_closed"
REQUESTS_SLOWED: Final = "requests_slowed"
WRITE_STALLED: Final = "write_stalled"
UPDATE_SENT: Final = "update_sent"
UPDATE_ACCEPTED: Final = "update_accepted"
UPDATE_REJECTED: Final = "update_rejected"
UPDATE_TRACED: Final = "update_traced"


def _escape(_: object, __: str, event: EventDict) -> EventDict:
    """Keep what users and Envoys wrote from steering the terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = visible(value)
    return event


def get_logger() -> FilteringBoundLogger:
    """Return the program's logger."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def configure(*, form: str, level: str, stream: TextIO | None = None) -> None:
    """
    Set up all logging of the process, the libraries' too.

    Args:
        form: `console`, `json`, or `auto` for whichever fits the stream.
        level: The least important level to log.
        stream: Where to log, by default standard error.
    """
    target = stream or sys.stderr
    if form == "auto":
        form = "console" if target.isatty() else "json"
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    rendering: Sequence[Processor]
    if form == "json":
        rendering = (
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        )
    else:
        rendering = (_escape, structlog.dev.ConsoleRenderer(colors=target.isatty()))
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    # What libraries say through the standard library comes out in the same form.
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)

"""
What happens while the demo runs, told on standard output.

In: the control plane's events. Out: lines for people.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from penstock.demo_changes import describe_changes
from penstock.demo_guide import backend_names, listeners, requests_to_try
from penstock.events import (
    ProxyConverged,
    ProxyPublished,
    ReloadFinished,
    SourceLost,
    SourceRecovered,
    TranslationFailed,
    UpdateRejected,
)
from penstock.findings import Report, as_text
from penstock.state import Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from penstock.address import Address
    from penstock.controller import Controller
    from penstock.demo_backends import Backends
    from penstock.events import Event
    from translator import ir
    from translator.pipeline import Inputs

__all__ = ["Story"]

_INDENT: Final = " " * 10
"""As wide as a time and two spaces."""

_MOST: Final = 20
"""How many changes of one edit are told."""

_NOTICED: Final = 1.0
"""How many seconds after a save it is noticed at the latest. A file that seems to be older was
moved to its place, and its time is not that of the edit."""


class Story:
    """Tells what an edit changed, how soon Envoy had it, and what is wrong with it."""

    def __init__(self, controller: Controller, backends: Backends) -> None:
        self._controller = controller
        self._backends = backends
        self._proxies: dict[str, ir.Proxy] = {}
        self._inputs: Inputs | None = None
        self._saved: float | None = None
        self._colour = (
            sys.stdout.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

    def begin(
        self, proxies: Sequence[ir.Proxy], name: str, *, status: Address, envoy_status: Address
    ) -> None:
        """
        Say what runs, and what there is to try.

        Args:
            proxies: What the resources mean.
            name: The proxy that Envoy is.
            status: Where the control plane's status is.
            envoy_status: Where Envoy's is.
        """
        self._proxies = {proxy.name: proxy for proxy in proxies}
        requests = requests_to_try(proxies, name)
        width = max((len(command) for command, _ in requests), default=0)
        places = [f"http://{address}" for address in listeners(proxies, name)]
        for line in (
            "",
            f"Envoy takes requests on {' and '.join(places) or 'no address: there is no listener'}",
            "",
            *(f"    {command.ljust(width)}    # {answer}" for command, answer in requests),
            "",
            f"Edit the YAML in {self._controller.source.name}: what changes is told here.",
            f"Status: http://{status}/api/v1/status, Envoy's own: http://{envoy_status}",
            "Ctrl-C ends everything.",
            "",
        ):
            self._echo(line)

    async def follow(self, events: AsyncIterator[Event]) -> None:
        """Tell every event, for ever."""
        async for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Tell an event."""
        match event:
            case ProxyPublished():
                self._published(event)
            case ProxyConverged():
                self._converged(event)
            case ReloadFinished():
                self._reloaded(event)
            case UpdateRejected():
                names = ", ".join(event.versions) or "an update"
                self.tell([f"Envoy refused {names}: {event.text}"], "red")
            case SourceLost():
                self.tell([f"{event.reason}; what was served stays"], "red")
            case SourceRecovered():
                self.tell([f"{event.source} can be read again"], "green")
            case TranslationFailed():
                self.tell(["a bug in Penstock; what was served stays:"], "red")
                self._echo("".join(traceback.format_exception(event.error)))
            case _:
                pass

    def tell(self, lines: Iterable[str], tone: str = "") -> None:
        """Print lines, the time in front of the first."""
        margin = datetime.now(UTC).astimezone().strftime("%H:%M:%S  ")
        for line in lines:
            self._echo(margin + (click.style(line, fg=tone) if tone else line))
            margin = _INDENT

    def _published(self, event: ProxyPublished) -> None:
        before = tuple(self._proxies.values())
        self._proxies[event.publication.proxy.name] = event.publication.proxy
        after = tuple(self._proxies.values())
        # They run before Envoy hears of them: the event is older than the update.
        complaints = self._backends.answer(backend_names(after))
        self._note_save()
        lines = describe_changes(before, after)
        more = [f"and {len(lines) - _MOST} other changes"] if len(lines) > _MOST else []
        self.tell([*lines[:_MOST], *more])
        self.tell(complaints, "red")

    def _converged(self, event: ProxyConverged) -> None:
        seconds, since = event.seconds, "the change was noticed"
        if self._saved is not None:
            passed = time.time() - self._saved
            if seconds <= passed <= seconds + _NOTICED:
                seconds, since = passed, "the save"
        self.tell([f"accepted by Envoy {seconds * 1000:.0f} ms after {since}"], "green")

    def _reloaded(self, event: ReloadFinished) -> None:
        self._note_save()
        state = self._controller.state
        translation = state.translation
        if event.new and translation is not None:
            report = replace(
                Report.of(translation, self._controller.source.locate),
                diagnostics=tuple(finding.diagnostic for finding in state.findings),
            )
            self.tell(["what you wrote has mistakes:"], "red")
            for line in as_text(report, colour=self._colour):
                self._echo(line)
        elif event.gone:
            left = len(state.findings)
            self.tell([f"{left} findings are left" if left else "no finding is left"], "green")
        if event.reload.result is Result.UNCHANGED:
            self.tell(["nothing changes for Envoy"])

    def _note_save(self) -> None:
        """Remember when the newest of the files that changed was saved."""
        translation = self._controller.state.translation
        if translation is None or translation.inputs is self._inputs:
            return
        before = self._inputs.files if self._inputs else {}
        self._inputs = translation.inputs
        self._saved = None
        for origin, text in self._inputs.files.items():
            if before.get(origin) != text:
                # It may be gone again.
                with suppress(OSError):
                    saved = Path(self._controller.source.locate(origin)).stat().st_mtime
                    self._saved = max(saved, self._saved or saved)

    def _echo(self, line: str) -> None:
        click.echo(line, color=self._colour)

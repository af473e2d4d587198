"""`penstock status`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.errors import ServerUnreachable
from penstock.options import has_colours, option
from penstock.overview.client import Client, Overview
from penstock.overview.text import as_text, is_healthy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command", "follow"]

_PERIOD: Final = 2.0
"""Seconds between two looks."""
_CLEAR: Final = "\x1b[H\x1b[2J"


class _ServerType(click.ParamType[Client]):
    name = "URL"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Client:
        if isinstance(value, Client):
            return value
        try:
            return Client(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("status")
@option(
    "--server",
    type=_ServerType(),
    default="http://127.0.0.1:18001",
    help="The admin address of the server.",
)
@option(
    "--output",
    "-o",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="PENSTOCK_STATUS_OUTPUT",  # that of `translate` has other values
    help="For people or for programs.",
)
@option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.pass_context
def command(
    ctx: click.Context,
    server: Client,
    output: str,
    watch: bool,  # noqa: FBT001 (click passes options by name)
) -> None:
    """
    Show what a running server serves, who has accepted it, and what is wrong.

    The exit code is 0 if everything is served as written and accepted, 1 if anything is rejected,
    held, not accepted yet or an error, and 2 if the server cannot be reached.
    """
    colour = has_colours(sys.stdout)
    if watch:
        _watch(server, output, colour=colour)
        ctx.exit(0)
    overview = server.look()
    click.echo(_write(overview, output, colour=colour), color=colour)
    ctx.exit(0 if is_healthy(overview) else 1)


def follow(
    look: Callable[[], tuple[object, str]],
    show: Callable[[str], None],
    sleep: Callable[[float], object],
) -> None:
    """
    Show what changes, until Ctrl-C.

    A server that is away for a while, such as one that starts again, is waited for.

    Args:
        look: Tells what is the same as long as nothing changes, and the text to show.
        show: Shows it.
        sleep: Waits.
    """
    shown: object = None
    try:
        while True:
            try:
                state, text = look()
            except ServerUnreachable as error:
                state = text = f"Error: {error}"
            if state != shown:
                show(text)
                shown = state
            sleep(_PERIOD)
    except KeyboardInterrupt:
        return


def _watch(client: Client, output: str, *, colour: bool) -> None:
    in_place = sys.stdout.isatty() and output == "text"

    def look() -> tuple[object, str]:
        overview = client.look()
        if output == "json":
            return _without_age(overview), json.dumps(_document(overview), ensure_ascii=False)
        text = _write(overview, output, colour=colour)
        return text, text

    def show(text: str) -> None:
        if in_place:
            # What does not fit would scroll the beginning away.
            rows = max(shutil.get_terminal_size().lines - 2, 1)
            lines = text.splitlines()
            more = [f"… {len(lines) - rows} more lines"] if len(lines) > rows else []
            click.echo(_CLEAR + "\n".join([*lines[:rows], *more]), color=colour)
        elif output == "json":
            click.echo(text)
        else:
            click.echo(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}\n{text}\n", color=colour)

    follow(look, show, time.sleep)


def _write(overview: Overview, output: str, *, colour: bool) -> str:
    if output == "json":
        return json.dumps(_document(overview), indent=2, ensure_ascii=False)
    return "\n".join(as_text(overview, colour=colour))


def _document(overview: Overview) -> dict[str, object]:
    return {"status": overview.status, "reports": overview.reports}


def _without_age(overview: Overview) -> dict[str, object]:
    status = {key: overview.status[key] for key in overview.status if key != "uptime_seconds"}
    return {"status": status, "reports": overview.reports}

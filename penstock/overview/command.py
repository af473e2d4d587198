"""`penstock status`."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.errors import ServerUnreachable
from penstock.findings.text import paint
from penstock.options import has_colours, option
from penstock.overview.client import Client, Overview
from penstock.overview.fleet_text import BAD
from penstock.overview.screen import Screen
from penstock.overview.text import as_text, is_healthy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command", "follow"]

_PERIOD: Final = 2.0
"""Seconds between two looks."""


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
@option(
    "--watch",
    is_flag=True,
    help="Look again every two seconds until Ctrl-C; with json, a document a line for each change.",
)
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
    look: Callable[[], Overview],
    show: Callable[[Overview | None, str], None],
    sleep: Callable[[float], object],
) -> None:
    """
    Look and show, until Ctrl-C.

    A server that is away for a while, such as one that starts again, is waited for.

    Args:
        look: Tells where the server stands.
        show: Is given what there is to see last, if anything, and why it is not of this moment.
        sleep: Waits.
    """
    seen: Overview | None = None
    try:
        while True:
            trouble = ""
            try:
                seen = look()
            except ServerUnreachable as error:
                trouble = f"Error: {error}"
            show(seen, trouble)
            sleep(_PERIOD)
    except KeyboardInterrupt:
        return


def _watch(client: Client, output: str, *, colour: bool) -> None:
    if output == "json":
        follow(client.look, _documents(), time.sleep)
    elif sys.stdout.isatty():
        screen = Screen(sys.stdout)
        with screen.opened():
            follow(client.look, _picture(screen, colour=colour), time.sleep)
    else:
        follow(client.look, _blocks(colour=colour), time.sleep)


def _documents() -> Callable[[Overview | None, str], None]:
    """Write a document a line, when anything changes; trouble goes elsewhere."""
    said: object = None

    def show(overview: Overview | None, trouble: str) -> None:
        nonlocal said
        state = trouble or (overview and _without_age(overview))
        if state != said:
            said = state
            if trouble:
                click.echo(trouble, err=True)
            elif overview:
                click.echo(json.dumps(_document(overview), ensure_ascii=False))

    return show


def _blocks(*, colour: bool) -> Callable[[Overview | None, str], None]:
    """Write a block of text, with its time, when anything changes."""
    said = ""

    def show(overview: Overview | None, trouble: str) -> None:
        nonlocal said
        text = trouble or (_text(overview, colour=colour) if overview else "")
        if text != said:
            said = text
            click.echo(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}\n{text}\n", color=colour)

    return show


def _picture(screen: Screen, *, colour: bool) -> Callable[[Overview | None, str], None]:
    """Keep a screen up to date, with the time at the top, so that one sees that it is alive."""
    last = ""

    def show(overview: Overview | None, trouble: str) -> None:
        nonlocal last
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
        head = [f"{now}, every {_PERIOD:g} s until Ctrl-C"]
        if trouble:
            head += [paint(trouble, BAD, colour=colour)]
            head += [f"this is what it said at {last}:"] if last else []
        else:
            last = now
        screen.show([*head, "", *(as_text(overview, colour=colour) if overview else ())])

    return show


def _write(overview: Overview, output: str, *, colour: bool) -> str:
    if output == "json":
        return json.dumps(_document(overview), indent=2, ensure_ascii=False)
    return _text(overview, colour=colour)


def _text(overview: Overview, *, colour: bool) -> str:
    return "\n".join(as_text(overview, colour=colour))


def _document(overview: Overview) -> dict[str, object]:
    return {"status": overview.status, "reports": overview.reports}


def _without_age(overview: Overview) -> dict[str, object]:
    status = {key: overview.status[key] for key in overview.status if key != "uptime_seconds"}
    return {"status": status, "reports": overview.reports}

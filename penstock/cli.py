"""
The command line.

Only what every command needs is imported here: `check` runs at every save and every commit, and
is to answer before its user looks up.
"""

from __future__ import annotations

import gc
import importlib
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.errors import PenstockError
from penstock.options import config_argument, has_colours, option

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.findings import Report
    from translator.pipeline import Translation

__all__ = ["main", "program"]

_COULD_NOT: Final = 2
"""The exit code of a command that could not do its work; 1 means that there are findings."""


class _Failure(click.ClickException):
    exit_code = _COULD_NOT


class _Program(click.Group):
    """A group that knows our failures, and imports some commands only when they are used."""

    _elsewhere: Final = {
        "demo": "penstock.demo",
        "serve": "penstock.serve_command",
        "status": "penstock.overview.command",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._elsewhere:
            command = importlib.import_module(self._elsewhere[cmd_name]).command
            if not isinstance(command, click.Command):
                raise TypeError(f"{self._elsewhere[cmd_name]}:command is not a command")
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            raise _Failure(str(error)) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001 (Python's own exit code would mean findings)
            traceback.print_exc()
            click.echo("This is a bug in Penstock, not in your resources.", err=True)
            ctx.exit(_COULD_NOT)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    from penstock import version  # noqa: PLC0415 (see there)

    if wanted:
        click.echo(f"penstock {version()}")
        ctx.exit()


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def program() -> None:
    """Turn many teams' routes into the configuration of one Envoy."""


@program.command()
@config_argument
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    help="For people, for programs, as annotations of a GitHub pull request, or as SARIF.",
)
@option(
    "--fail-level",
    type=click.Choice(["error", "warning"]),
    default="error",
    help="The least severe finding that makes the exit code 1.",
)
@option(
    "--server",
    metavar="URL",
    envvar="PENSTOCK_CHECK_SERVER",  # that of `status` must not keep `check` from the folder
    help="Ask the server with this admin address instead, which also knows what Envoy refuses.",
)
@click.pass_context
def check(ctx: click.Context, config: Path, form: str, fail_level: str, server: str | None) -> None:
    """
    Find every mistake in CONFIG, a folder or a file.

    CONFIG is `config` unless PENSTOCK_CONFIG says otherwise. The exit code is 0 without findings,
    1 with findings at or above the fail level, and 2 if it could not be checked.
    """
    from penstock import findings  # noqa: PLC0415 (the translator behind it takes a while)
    from translator.report import Severity  # noqa: PLC0415

    report = _translate(config)[0] if server is None else _ask(ctx, server)
    match form:
        case "json":
            click.echo(findings.as_json(report))
        case "github":
            for line in findings.as_github(report):
                click.echo(line)
            click.echo(findings.summary(report))
        case "sarif":
            from penstock.findings.sarif import as_sarif  # noqa: PLC0415 (seldom wanted)

            click.echo(as_sarif(report))
        case _:
            colour = has_colours(sys.stdout)
            sections = [] if server else findings.sections(report, colour=colour)
            gap = [""] if report.diagnostics and not server else []
            for line in (
                *sections,
                *gap,
                *findings.as_text(report, colour=colour),
            ):
                click.echo(line, color=colour)
    ctx.exit(1 if report.reaches(Severity(fail_level)) else 0)


@program.command()
@config_argument
@option(
    "--to",
    "target",
    type=click.Choice(["ir", "xds", "grpc"]),
    required=True,
    help="Penstock's own terms, Envoy's, or those of gRPC clients without a proxy.",
)
@option(
    "--output", "-o", type=click.Choice(["yaml", "json"]), default="yaml", help="How to write it."
)
@option("--proxy", metavar="NAME", help="Only what this proxy is told.")
@click.pass_context
def translate(
    ctx: click.Context, config: Path, target: str, output: str, proxy: str | None
) -> None:
    """
    Print what CONFIG means, without serving it.

    CONFIG is `config` unless PENSTOCK_CONFIG says otherwise. What is valid is printed even if there
    are mistakes; these go to standard error, and make the exit code 1.
    """
    from penstock import documents, findings  # noqa: PLC0415 (see check)
    from translator.report import Severity  # noqa: PLC0415

    report, translation = _translate(config)
    proxies = [each for each in translation.proxies if proxy in {None, each.name}]
    if not proxies and proxy is not None:
        known = ", ".join(each.name for each in translation.proxies) or "none"
        raise _Failure(f"there is no proxy '{proxy}' in {config}; there are: {known}")
    describe = {
        "ir": documents.ir_document,
        "xds": documents.xds_document,
        "grpc": documents.grpc_document,
    }[target]
    click.echo(documents.write(describe(proxies), output), nl=False)
    if report.diagnostics:
        colour = has_colours(sys.stderr)
        for line in findings.as_text(report, colour=colour):
            click.echo(line, err=True, color=colour)
    ctx.exit(1 if report.reaches(Severity.ERROR) else 0)


def _ask(ctx: click.Context, server: str) -> Report:
    """Ask a server for its findings."""
    from penstock.overview import Client  # noqa: PLC0415 (see check)
    from penstock.overview.reports import ServedReport  # noqa: PLC0415

    source = ctx.get_parameter_source("config")
    if source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("give CONFIG or --server, not both", ctx)
    try:
        client = Client(server)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param_hint="'--server'") from error
    return ServedReport.read(client.look().reports)


def _translate(config: Path) -> tuple[Report, Translation]:
    """
    Read and translate once, for a command that then ends.

    Nothing of a translation is garbage before the end, and to look for some among millions of
    objects takes as long as the translation.
    """
    gc.disable()
    from penstock.findings import Report  # noqa: PLC0415 (see check)
    from penstock.sources import FolderReader  # noqa: PLC0415
    from translator.pipeline import translate  # noqa: PLC0415

    reader = FolderReader(config)
    translation = translate(reader.read().inputs)
    return Report.of(translation, reader.locate), translation


def main() -> None:
    """Run the command line, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A finding quotes its author's text, which may be more than the terminal can write.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    program(prog_name="penstock")

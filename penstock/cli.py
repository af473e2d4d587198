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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.address import Address
from penstock.errors import PenstockError
from penstock.options import has_colours, option

if TYPE_CHECKING:
    from penstock.access import Rule
    from penstock.certificates import TlsFiles
    from penstock.findings import Report
    from translator.pipeline import Translation

__all__ = ["main", "program"]

_COULD_NOT: Final = 2
"""The exit code of a command that could not do its work; 1 means that there are findings."""


class _Failure(click.ClickException):
    exit_code = _COULD_NOT


class _Program(click.Group):
    """A group that knows our failures, and imports some commands only when they are used."""

    _elsewhere: Final = {"demo": "penstock.demo", "status": "penstock.overview.command"}

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


class _AddressType(click.ParamType[Address]):
    name = "HOST:PORT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _RuleType(click.ParamType["Rule"]):
    name = "PATTERN = PROXY,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rule:
        from penstock.access import Rule  # noqa: PLC0415 (see check)

        try:
            return value if isinstance(value, Rule) else Rule.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split a variable at semicolons and line ends: a rule has spaces."""
        rules = [rule for rule in rv.replace("\n", ";").split(";") if rule.strip()]
        if not rules:
            # Without a rule everybody is let in, which is hardly what was meant.
            self.fail(f"'{rv}' holds no rule")
        return rules


_config = click.argument(
    "config", type=click.Path(path_type=Path), default="config", envvar="PENSTOCK_CONFIG"
)


def _host_name() -> str:
    import socket  # noqa: PLC0415 (only a server has a name)

    return socket.gethostname()


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
@_config
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
@_config
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


@program.command()
@_config
@option(
    "--ads",
    type=_AddressType(),
    default="127.0.0.1:18000",
    help="Where Envoys ask for their configuration.",
)
@option(
    "--ads-tls-cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificate of the ADS server, with its chain, as PEM; without it there is no TLS. "
    "The files are followed: whatever replaces them is used for new connections.",
)
@option(
    "--ads-tls-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The private key of that certificate, as PEM.",
)
@option(
    "--ads-tls-client-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Whose certificates clients have to have, as PEM; without it they need none.",
)
@option(
    "--ads-allow",
    type=_RuleType(),
    multiple=True,
    help="Which proxies a client may ask for, by a SPIFFE id, URI or DNS name in its certificate; "
    "* stands for any text within a part of the name, or for all proxies. May be repeated, in the "
    "variable with semicolons. Without a rule, every client may ask for every proxy.",
)
@option(
    "--admin",
    type=_AddressType(),
    default="127.0.0.1:18001",
    help="Where status, reports and metrics are; it has no password.",
)
@option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to keep what is served, so that it is served again at once after a restart.",
)
@option(
    "--drain-seconds",
    type=click.FloatRange(min=0, max=3600),
    default=5.0,
    help="How long the streams may take to end after SIGTERM.",
)
@option(
    "--instance",
    metavar="NAME",
    default=_host_name,
    show_default="the host's name",
    help="What Envoys are told they are served by, beside the version.",
)
@option(
    "--ads-max-streams",
    type=click.IntRange(min=1),
    default=20_000,
    help="How many streams Envoys may have at the same time; more are refused.",
)
@option(
    "--ads-first-bursts",
    type=click.IntRange(min=1),
    default=100,
    help="How many Envoys are sent their first resources at the same time; others wait, briefly.",
)
@option(
    "--ads-request-rate",
    type=click.FloatRange(min=0),
    default=100.0,
    help="How many requests a second are read of one stream, its verdicts not counted; 0: all.",
)
@option(
    "--ads-write-seconds",
    type=click.FloatRange(min=0.1),
    default=30.0,
    help="How long an Envoy may not read what it is sent before its connection is ended.",
)
@option(
    "--ads-keepalive-seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    help="How often a silent Envoy is asked whether it is still there.",
)
@option(
    "--ads-max-connection-age",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0.0,
    help="After how long an Envoy has to connect anew, give or take a tenth, perhaps to another"
    " replica; 0: never.",
)
@option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    help="Console on a terminal, else JSON; or one of them.",
)
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="The least important event to log.",
)
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    *,
    config: Path,
    ads: Address,
    ads_tls_cert: Path | None,
    ads_tls_key: Path | None,
    ads_tls_client_ca: Path | None,
    ads_allow: tuple[Rule, ...],
    admin: Address,
    state: Path | None,
    drain_seconds: float,
    instance: str,
    log_format: str,
    log_level: str,
    **limits: float,
) -> None:
    """
    Serve what CONFIG means to Envoy, and follow its changes.

    CONFIG is `config` unless PENSTOCK_CONFIG says otherwise. SIGHUP reads it again at once and has
    tried once more what an Envoy refused, SIGTERM ends the streams and then the program.
    """
    from penstock import logs  # noqa: PLC0415 (see check)
    from penstock.serve import Options, run  # noqa: PLC0415 (grpc alone takes a while)
    from xds.limits import Limits  # noqa: PLC0415 (see check)

    tls = _tls_files(ads_tls_cert, ads_tls_key, ads_tls_client_ca)
    if ads_allow and ads_tls_client_ca is None:
        raise click.UsageError("--ads-allow needs --ads-tls-client-ca: names have to be proven")
    logs.configure(form=log_format, level=log_level)
    options = Options(
        config=config,
        ads=ads,
        admin=admin,
        state=state,
        drain_seconds=drain_seconds,
        tls=tls,
        allow=ads_allow,
        instance=instance,
        limits=Limits(
            streams=int(limits["ads_max_streams"]),
            first_bursts=int(limits["ads_first_bursts"]),
            requests_per_second=limits["ads_request_rate"] or None,
            write_seconds=limits["ads_write_seconds"],
            keepalive_seconds=limits["ads_keepalive_seconds"],
            connection_seconds=limits["ads_max_connection_age"] or None,
        ),
    )
    ctx.exit(run(options))


def _tls_files(cert: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    from penstock.certificates import TlsFiles  # noqa: PLC0415 (see check)

    if cert is not None and key is not None:
        return TlsFiles(cert=cert, key=key, client_ca=client_ca)
    if cert is None and key is None and client_ca is None:
        return None
    given, missing = (
        ("--ads-tls-cert", "--ads-tls-key")
        if cert is not None
        else ("--ads-tls-key" if key is not None else "--ads-tls-client-ca", "--ads-tls-cert")
    )
    raise click.UsageError(f"{given} needs {missing}")


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

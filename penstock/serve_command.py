"""
`penstock serve`.

What serving needs is imported when it begins: `penstock --help` is about this command too.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.address import Address
from penstock.options import config_argument, option

if TYPE_CHECKING:
    from penstock.access import Rule
    from penstock.certificates import TlsFiles

__all__ = ["command"]


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
        from penstock.access import Rule  # noqa: PLC0415 (see above)

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


@click.command("serve")
@config_argument
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
    default=socket.gethostname,
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
def command(
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
    from penstock import logs  # noqa: PLC0415 (see above)
    from penstock.serve import Options, run  # noqa: PLC0415 (see above)
    from xds.limits import Limits  # noqa: PLC0415 (see above)

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
    from penstock.certificates import TlsFiles  # noqa: PLC0415 (see above)

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

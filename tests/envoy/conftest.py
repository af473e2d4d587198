from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import yaml
from support import ROOT, ControlPlane, RealEnvoy, fetch, free_port, save, wait_until

from penstock.address import Address
from penstock.demo_backends import Backend

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("echo-v1", "echo-v2", "foxtrot-v1", "foxtrot-v2")


@dataclass
class Stage:
    """The actors of a story: who serves, who proxies, and what they are told."""

    folder: Path
    backends: dict[str, Backend]
    listener: int = field(default_factory=free_port)
    """The port that Envoy is to listen on."""

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def ports(self) -> dict[str, int]:
        return {name: backend.address.port for name, backend in self.backends.items()}

    def save(self, path: str, text: str | bytes) -> None:
        save(self.config / path, text)

    def save_gateway(self) -> None:
        """Let Envoy listen where no other test does."""
        gateway = yaml.safe_load((ROOT / "config" / "gateway" / "gateway.yaml").read_text())
        gateway["spec"]["bindPort"] = self.listener
        self.save("gateway/gateway.yaml", yaml.safe_dump(gateway))

    def save_shipped(self) -> None:
        """Save the folder `config` as it is shipped, but for the ports."""
        for path in sorted((ROOT / "config").rglob("*.yaml")):
            text = path.read_text()
            for port, name in zip((9101, 9102, 9201, 9202), NAMES, strict=True):
                text = text.replace(f"port: {port}", f"port: {self.ports[name]}")
            self.save(path.relative_to(ROOT / "config").as_posix(), text)
        self.save_gateway()

    def control_plane(self, ads_port: int = 0, state: Path | None = None) -> ControlPlane:
        return ControlPlane(self.config, self.folder / "penstock", ads_port, state)

    def envoy(self, protocol: str, ads_port: int) -> RealEnvoy:
        return RealEnvoy(self.folder / "envoy", protocol, ads_port)

    def ask(self, path: str, *, canary: bool = False) -> str:
        """Return the body of an answer, or its status if that is not 200."""
        answer = fetch(self.listener, path, {"stage": "canary"} if canary else {})
        return answer.body if answer.status == 200 else str(answer.status)

    def answers(self) -> tuple[str, str, str, str]:
        """Ask for both teams' paths, without and with the header."""
        return (
            self.ask("/echo"),
            self.ask("/echo", canary=True),
            self.ask("/foxtrot"),
            self.ask("/foxtrot", canary=True),
        )

    def wait_for(self, *expected: str) -> None:
        wait_until(lambda: self.answers() == expected, f"the answers {expected}", deadline=20)


@pytest.fixture
def stage(tmp_path):
    with ExitStack() as stack:
        yield Stage(
            tmp_path,
            {
                name: stack.enter_context(
                    Backend.bind(Address("127.0.0.1", 0), name.replace("-", " "))
                )
                for name in NAMES
            },
        )

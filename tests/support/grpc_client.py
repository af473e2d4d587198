"""gRPC as a client of the control plane, and servers for it to call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

from support.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METHOD = "/demo.Echo/Say"


class GrpcBackend:
    """
    A gRPC server that answers every call with its name; a context manager.

    The method `Wait` takes half a second for it, and `Flaky` fails two calls of three.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: Counter[str] = Counter()
        """How often each method was called."""
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Names(self),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(0).wait()


class _Names(grpc.GenericRpcHandler):
    def __init__(self, backend: GrpcBackend) -> None:
        self._backend = backend

    def service(self, details):
        def answer(_, context):
            self._backend.calls[details.method] += 1
            if details.method.endswith("/Flaky") and self._backend.calls[details.method] % 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "flaky")
            if details.method.endswith("/Wait"):
                time.sleep(0.5)
            return self._backend.name.encode()

        return grpc.unary_unary_rpc_method_handler(answer)


class GrpcClient(Process):
    """
    A process that calls `xds:///` targets, with Penstock in its bootstrap.

    Args:
        folder: Where its log goes.
        ads_port: Where the control plane listens.
        node: Its name.
        proxy: The proxy that it stands in for.
    """

    def __init__(
        self, folder: Path, ads_port: int, node: str = "shop", proxy: str = "gateway-proxy"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__([sys.executable, "-u", "-m", "support.xds_caller"], folder / f"{node}.log")
        self.bootstrap = bootstrap(ads_port, node, proxy)
        self._turn = threading.Lock()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(self.bootstrap),
                },
            )

    def kill(self) -> None:
        super().kill()
        if self.process is not None:
            self.process.stdin.close()
            self.process.stdout.close()

    def ask(
        self,
        target: str,
        method: str = METHOD,
        *,
        metadata: Mapping[str, str] | None = None,
        count: int = 1,
        timeout: float = 10.0,
        options: Mapping[str, object] | None = None,
    ) -> Counter[str]:
        """Call, and count the answers: the name of a backend, or a status and its details."""
        question = {
            "target": target,
            "method": method,
            "metadata": list((metadata or {}).items()),
            "count": count,
            "timeout": timeout,
            "options": list((options or {}).items()),
        }
        with self._turn:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        assert line, self.tail()
        return Counter(json.loads(line))

    def say(self, target: str, method: str = METHOD, **options) -> str:
        """Call once."""
        (answer,) = self.ask(target, method, **options)
        return answer


def bootstrap(ads_port: int, node: str, proxy: str) -> dict[str, object]:
    """Return what `docs/grpc.md` shows, with another port."""
    return {
        "xds_servers": [
            {
                "server_uri": f"127.0.0.1:{ads_port}",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {"id": node, "cluster": proxy},
    }

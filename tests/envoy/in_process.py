"""A server of hand-made snapshots in a thread of this process, for real Envoys."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

from xds import messages
from xds.cache import SnapshotCache
from xds.observer import Observer
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


@dataclass
class Streams(Observer):
    """Writes down which streams were opened and closed, and what was sent."""

    opened: list = field(default_factory=list)
    closed: list = field(default_factory=list)
    sent: list = field(default_factory=list)
    rejections: list = field(default_factory=list)

    def stream_opened(self, stream):
        self.opened.append(stream)

    def stream_closed(self, stream, reason):
        self.closed.append(reason)

    def response_sent(self, stream, type_url, size):
        self.sent.append(type_url)

    def rejected(self, stream, type_url, versions, text):
        self.rejections.append(text)


class Server:
    """An `AdsServer` with one proxy; a context manager."""

    def __init__(self, snapshot, **options):
        self.seen = Streams()
        self._snapshot = snapshot
        self._options = options
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    def __enter__(self):
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)

    def publish(self, snapshot):
        self._loop.call_soon_threadsafe(self._cache.set, "p", snapshot)

    async def _main(self):
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._cache = SnapshotCache()
        self._cache.set("p", self._snapshot)
        self._cache.mark_synced()
        server = AdsServer(
            self._cache,
            proxy_of=lambda _: "p",
            observer=self.seen,
            identifier="test",
            **self._options,
        )
        self.port = await server.start("127.0.0.1:0")
        self._started.set()
        await self._ending.wait()
        await server.drain(0)


ADS = {"ads": {}, "resource_api_version": "V3"}


def own_stream(api):
    """Return the config source of a resource that comes on a stream of its own."""
    service = {"envoy_grpc": {"cluster_name": "penstock"}}
    return {
        "api_config_source": {
            "api_type": api,
            "transport_api_version": "V3",
            "grpc_services": [service],
        },
        "resource_api_version": "V3",
    }


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def snapshot(backends, *, listener, to, source=ADS, timeout=5):
    """
    Make a snapshot that routes everything to one of several clusters.

    Args:
        backends: The ports of the clusters' only endpoints, by name.
        listener: The port to listen on.
        to: The cluster that all requests go to.
        source: Where endpoints and routes come from.
        timeout: The clusters' `connect_timeout` in seconds.
    """
    resources = []
    for name, port in backends.items():
        cluster = messages.build(
            "envoy.config.cluster.v3.Cluster",
            name=name,
            type="EDS",
            connect_timeout={"seconds": timeout},
            eds_cluster_config={"eds_config": source},
        )
        resources.append(Resource.of(CLUSTER, name, messages.encode(cluster), requires=[name]))
        endpoint = {"endpoint": {"address": address(port)}}
        assignment = messages.build(
            "envoy.config.endpoint.v3.ClusterLoadAssignment",
            cluster_name=name,
            endpoints=[{"lb_endpoints": [endpoint]}],
        )
        resources.append(Resource.of(LOAD_ASSIGNMENT, name, messages.encode(assignment)))
    routes = messages.build(
        "envoy.config.route.v3.RouteConfiguration",
        name="r",
        virtual_hosts=[
            {
                "name": "all",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": to}}],
            }
        ],
    )
    resources.append(Resource.of(ROUTE_CONFIGURATION, "r", messages.encode(routes), requires=[to]))
    manager = messages.build(
        HTTP,
        stat_prefix="http",
        rds={"config_source": source, "route_config_name": "r"},
        http_filters=[{"name": "router", "typed_config": messages.pack(messages.build(ROUTER))}],
    )
    listening = messages.build(
        "envoy.config.listener.v3.Listener",
        name="l",
        address=address(listener),
        filter_chains=[{"filters": [{"name": "http", "typed_config": messages.pack(manager)}]}],
    )
    resources.append(Resource.of(LISTENER, "l", messages.encode(listening), requires=["r"]))
    return Snapshot.of(resources)

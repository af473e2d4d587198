"""An Envoy over real gRPC that takes everything but what has certain words in it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from xds import messages
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class PickyEnvoy(FakeEnvoy):
    """
    Does by itself what Envoy does, and remembers what it was sent.

    Args:
        dislikes: Words; a resource with one of them is refused, clusters and listeners by name.
    """

    def __init__(self, port, *, dislikes=(), agent="envoy", **options):
        super().__init__(port, **options)
        if self._node is not None:
            self._node = {**self._node, "user_agent_name": agent}
        self.dislikes = [word.encode() for word in dislikes]
        self.have = {CLUSTER: {}, LISTENER: {}, ROUTE_CONFIGURATION: {}, LOAD_ASSIGNMENT: {}}
        self.sent = []
        """All that it was ever sent, as type, name and body."""
        self.refused = []
        """What of it was refused."""

    def refuses(self, body):
        return any(word in body for word in self.dislikes)

    @asynccontextmanager
    async def living(self):
        async with self:
            await self.subscribe(CLUSTER)
            await self.subscribe(LISTENER)
            life = asyncio.create_task(self._live())
            try:
                yield self
            finally:
                life.cancel()
                await asyncio.wait([life])

    async def _live(self):
        while True:
            while not self._received:
                self._news.clear()
                await self._news.wait()
            await self._take(self._received.popleft())

    async def _take(self, response):
        type_url = response.type_url
        self.sent += [(type_url, name, body) for name, body in response.resources.items()]
        bad = [name for name, body in response.resources.items() if self.refuses(body)]
        self.refused += [(type_url, name, response.resources[name]) for name in bad]
        if type_url in {CLUSTER, LISTENER} and self._protocol == "sotw":
            self.have[type_url] = {
                name: body for name, body in self.have[type_url].items() if name in bad
            }
        for name in response.removed:
            self.have[type_url].pop(name, None)
        for name, body in response.resources.items():
            if name not in bad and (type_url in {CLUSTER, LISTENER} or not bad):
                self.have[type_url][name] = body
        if not bad:
            await self.ack(response)
        elif type_url in {CLUSTER, LISTENER}:
            kind = "cluster" if type_url == CLUSTER else "listener"
            reasons = ", ".join(f"{name}: {self.words}" for name in bad)
            await self.nack(response, f"Error adding/updating {kind}(s) {reasons}")
        else:
            await self.nack(response, self.words)
        if type_url == LISTENER:
            await self._follow_routes()

    words = "not to my taste"

    async def _follow_routes(self):
        names = set()
        for body in self.have[LISTENER].values():
            listener = messages.parse("envoy.config.listener.v3.Listener", body)
            config = listener.filter_chains[0].filters[0].typed_config
            names.add(messages.parse(_HCM, config.value).rds.route_config_name)
        wanted = tuple(sorted(names))
        if wanted != self._names.get(ROUTE_CONFIGURATION):
            await self.subscribe(ROUTE_CONFIGURATION, *wanted)

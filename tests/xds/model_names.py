"""A client that asks for what it likes, by name or for everything, and changes its mind."""

from collections import deque

from conversation import CDS, EDS, LDS, RDS
from ledger import Ledger
from model_envoy import bad, verdict_text

from xds.delta import DeltaRequest, DeltaStream
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock
from xds.types import COLLECTIONS

TYPES = (CDS, EDS, LDS, RDS)


class NamingClient:
    """What both protocols have in common; messages travel in queues, one at a time."""

    def __init__(self):
        self.clock = FakeClock()
        self.snapshot = None
        self.wanted = {kind: set() for kind in TYPES}
        self.have = {kind: {} for kind in TYPES}
        self.connect()

    def connect(self):
        """Begin a new stream; what the client has and wants stays."""
        self.stream = Ledger(self.machine, self.clock)
        self.to_client = deque()
        self.to_server = deque()
        self.started = set()
        if self.snapshot is not None:
            self.stream.publish(self.snapshot)
        for kind in TYPES:
            if self.wanted[kind]:
                self.begin(kind)

    def publish(self, snapshot):
        self.snapshot = snapshot
        self.to_client += self.stream.publish(snapshot)

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.to_client += self.stream.expire(self.clock())

    def want(self, kind, name):
        if name not in self.wanted[kind]:
            self.wanted[kind].add(name)
            self.begin(kind) if kind not in self.started else self.change(kind, added=[name])

    def drop(self, kind, name):
        if name in self.wanted[kind]:
            self.wanted[kind].remove(name)
            self.change(kind, removed=[name])
            self.have[kind] = {n: r for n, r in self.have[kind].items() if self.wants(kind, n)}

    def wants(self, kind, name):
        return bool({name, "*"} & self.wanted[kind])

    def deliver_request(self):
        if self.to_server:
            self.to_client += self.stream.receive(self.to_server.popleft())

    def deliver_response(self):
        if self.to_client:
            self.take(self.to_client.popleft())

    def settle(self):
        """Let everything that is under way arrive, and everything that waits come to its end."""
        for _ in range(2000):
            if self.to_server:
                self.deliver_request()
            elif self.to_client:
                self.deliver_response()
            elif self.stream.deadline is not None:
                self.advance(self.stream.deadline - self.clock())
            else:
                return
        raise AssertionError("the conversation does not end")

    def take(self, response):
        kind, have = response.type_url, self.have[response.type_url]
        resources = [r for r in response.resources if self.wants(kind, r.name)]
        refused = [r for r in resources if bad(r)]
        text = verdict_text(kind, refused)
        if not refused or text.startswith("Error adding"):
            for name in self.gone(response):
                have.pop(name, None)
            have.update((r.name, r) for r in resources if not bad(r))
        self.verdict(response, text)


class SotwNames(NamingClient):
    machine = SotwStream

    def connect(self):
        self.nonces = {}
        self.versions = getattr(self, "versions", {})
        super().connect()

    def request(self, kind, error=None):
        self.to_server.append(
            SotwRequest(
                type_url=kind,
                names=tuple(sorted(self.wanted[kind])),
                version=self.versions.get(kind, ""),
                nonce=self.nonces.get(kind, ""),
                error=error,
            )
        )

    def begin(self, kind):
        self.started.add(kind)
        self.request(kind)

    def change(self, kind, **_):
        self.request(kind)

    def again(self, kind, _):
        """Say the same again, which calls for nothing."""
        if kind in self.started:
            self.request(kind)

    def complete(self, kind):
        """Tell whether absence means removal."""
        return kind in COLLECTIONS

    def gone(self, response):
        if response.type_url not in COLLECTIONS:
            return []
        return self.have[response.type_url].keys() - {r.name for r in response.resources}

    def verdict(self, response, text):
        self.nonces[response.type_url] = response.nonce
        if not text:
            self.versions[response.type_url] = response.version
        self.request(response.type_url, error=text or None)


class DeltaNames(NamingClient):
    machine = DeltaStream

    def begin(self, kind):
        self.started.add(kind)
        versions = {name: r.version for name, r in self.have[kind].items()}
        names = tuple(sorted(self.wanted[kind]))
        self.to_server.append(
            DeltaRequest(type_url=kind, subscribe=names, initial_versions=versions)
        )

    def change(self, kind, *, added=(), removed=()):
        self.to_server.append(
            DeltaRequest(type_url=kind, subscribe=tuple(added), unsubscribe=tuple(removed))
        )

    def again(self, kind, name):
        """Subscribe to a name once more, having forgotten what it was sent (rule 61)."""
        if name in self.wanted[kind] and name != "*":
            self.have[kind].pop(name, None)
            self.change(kind, added=[name])

    def complete(self, _):
        """Tell whether absence means removal."""
        return True

    def gone(self, response):
        return response.removed

    def verdict(self, response, text):
        self.to_server.append(
            DeltaRequest(type_url=response.type_url, nonce=response.nonce, error=text or None)
        )

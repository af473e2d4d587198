"""A client that behaves like Envoy, as far as the protocol goes."""

from collections import deque

from conversation import CDS, EDS, LDS, RDS
from ledger import Ledger

from xds.delta import DeltaRequest, DeltaStream
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock

OWNER = {EDS: CDS, RDS: LDS}
GIVES_UP = 15
"""Seconds until a cluster is used without endpoints: Envoy's `initial_fetch_timeout`."""


def bad(resource):
    """Tell what a client refuses: what it does not like, and what it cannot read."""
    return b"bad" in resource.body or b"rotten" in resource.body


def verdict_text(type_url, refused):
    """Return what Envoy says to a response; nothing if it accepts it (rules 99 to 101)."""
    if not refused:
        return ""
    if type_url in OWNER or any(b"rotten" in r.body for r in refused):
        return "no"
    reasons = ", ".join(f"{r.name}: no" for r in refused)
    return f"Error adding/updating {'cluster' if type_url == CDS else 'listener'}(s) {reasons}"


class ModelEnvoy:
    """What both protocols have in common; messages travel in queues, one at a time."""

    def __init__(self):
        self.clock = FakeClock()
        self.snapshot = None
        self.before = None
        self.have = {CDS: {}, EDS: {}, LDS: {}, RDS: {}}
        self.warming = {}
        """The clusters without endpoints, and since when."""
        self.active = set()
        """Clusters that are used, in this or an older version."""
        self.connect()

    def connect(self):
        """Begin a new stream; what the client has stays."""
        self.stream = Ledger(self.machine, self.clock, before=self.before)
        self.to_client = deque()
        self.to_server = deque()
        self.unacked_clusters = []
        self.watched = {EDS: set(), RDS: set()}
        self.started = set()
        if self.snapshot is not None:
            self.stream.publish(self.snapshot)
        if self.have[CDS] or self.have[LDS]:
            self.watch(EDS)
            if not self.warming:  # rule 83: requests for clusters wait while any is warming
                self.begin(CDS)
            self.begin(LDS)
            self.watch(RDS)
        else:
            self.begin(CDS)

    def publish(self, snapshot):
        self.keep(snapshot)
        self.to_client += self.stream.publish(snapshot)

    def keep(self, snapshot):
        """Do what the cache does: keep the newest snapshot and the one before."""
        if snapshot != self.snapshot:
            self.before, self.snapshot = self.snapshot, snapshot

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.to_client += self.stream.expire(self.clock())
        self.keep_warming(lambda _, since: since + GIVES_UP > self.clock())
        self.warmed_up()

    def keep_warming(self, still):
        warm = {n for n, since in self.warming.items() if not still(n, since)}
        self.warming = {n: since for n, since in self.warming.items() if n not in warm}
        self.active |= warm & self.have[CDS].keys()

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
            elif (next_time := self.next_time()) is not None:
                self.advance(next_time - self.clock())
            else:
                return
        raise AssertionError("the conversation does not end")

    def next_time(self):
        times = [since + GIVES_UP for since in self.warming.values()]
        if self.stream.deadline is not None:
            times.append(self.stream.deadline)
        return min(times, default=None)

    def take(self, response):
        if response.type_url in OWNER and response.type_url not in self.started:
            self.unwanted(response)
            return
        wanted = self.watched.get(response.type_url)
        resources = [r for r in response.resources if wanted is None or r.name in wanted]
        refused = [r for r in resources if bad(r)]
        text = verdict_text(response.type_url, refused)
        have = self.have[response.type_url]
        apply = [r for r in resources if not bad(r)]
        readable = not text or text.startswith("Error adding")
        if not readable and not any(b"bad too" in r.body for r in refused):
            apply = []  # anything from none of the others to all of them
        changed = [r for r in apply if have.get(r.name) != r]
        for name in self.gone(response) if readable else ():
            have.pop(name, None)
        have.update((r.name, r) for r in apply)
        if response.type_url == CDS:
            self.keep_warming(lambda name, _: name in have)
            self.warming.update((r.name, self.clock()) for r in changed if r.requires)
            self.active = (self.active & have.keys()) | (have.keys() - self.warming.keys())
            self.watch(EDS, again=bool(changed))
            self.verdict_on_clusters(response, text)
        else:
            if response.type_url == EDS:
                served = {r.name for r in apply} | set(response.removed)
                self.keep_warming(lambda name, _: not self.have[CDS][name].requires <= served)
            if response.type_url == LDS:
                self.watch(RDS)
            self.verdict(response, text)
            self.warmed_up()

    def verdict_on_clusters(self, response, text):
        if text:
            self.verdict(response, text)
        else:
            self.unacked_clusters.append(response)
        self.warmed_up()

    def warmed_up(self):
        """Acknowledge clusters when all are warm (rule 80), and go on."""
        if self.warming:
            return
        for response in self.cluster_acks():
            self.verdict(response, "")
        self.unacked_clusters = []
        for type_url in (CDS, LDS):
            if type_url not in self.started:
                self.begin(type_url)

    def names(self, type_url):
        return {n for r in self.have[OWNER[type_url]].values() for n in r.requires}


class SotwEnvoy(ModelEnvoy):
    machine = SotwStream

    def connect(self):
        self.nonces = {}
        self.versions = getattr(self, "versions", {})
        super().connect()

    def request(self, type_url, error=None, nonce=None):
        self.started.add(type_url)
        self.to_server.append(
            SotwRequest(
                type_url=type_url,
                names=tuple(sorted(self.watched.get(type_url, ()))),
                version=self.versions.get(type_url, ""),
                nonce=self.nonces.get(type_url, "") if nonce is None else nonce,
                error=error,
            )
        )

    begin = request

    def watch(self, type_url, *, again=False):
        names = self.names(type_url)
        if names != self.watched[type_url] or (again and names):
            self.watched[type_url] = names
            self.request(type_url)

    def unwanted(self, response):
        self.to_server.append(SotwRequest(type_url="", nonce=response.nonce))

    def gone(self, response):
        if response.type_url in OWNER:
            return []
        names = {r.name for r in response.resources}
        return [name for name in self.have[response.type_url] if name not in names]

    def cluster_acks(self):
        return self.unacked_clusters[-1:]

    def verdict(self, response, text):
        self.nonces[response.type_url] = response.nonce
        if not text:
            self.versions[response.type_url] = response.version
        self.request(response.type_url, error=text or None)


class DeltaEnvoy(ModelEnvoy):
    machine = DeltaStream

    def request(self, type_url, **fields):
        self.to_server.append(DeltaRequest(type_url=type_url, **fields))

    def begin(self, type_url, **fields):
        self.started.add(type_url)
        versions = {name: r.version for name, r in self.have[type_url].items()}
        self.request(type_url, initial_versions=versions, **fields)

    def watch(self, type_url, *, again=False):
        names, before = self.names(type_url), self.watched[type_url]
        self.watched[type_url] = names
        added, removed = tuple(sorted(names - before)), tuple(sorted(before - names))
        for name in removed:
            self.have[type_url].pop(name, None)
        if type_url not in self.started:
            if names:
                self.begin(type_url, subscribe=added)
        elif added or removed:
            self.request(type_url, subscribe=added, unsubscribe=removed)

    def unwanted(self, response):
        """Drop it without a word (rule 72)."""

    def gone(self, response):
        return [] if response.type_url in OWNER else response.removed

    def cluster_acks(self):
        return self.unacked_clusters

    def verdict(self, response, text):
        self.request(response.type_url, nonce=response.nonce, error=text or None)

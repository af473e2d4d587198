"""A client that behaves like Envoy, as far as the protocol goes."""

from collections import deque

from conversation import CDS, EDS, LDS, RDS

from xds.delta import DeltaRequest, DeltaStream
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock

OWNER = {EDS: CDS, RDS: LDS}


def bad(resource):
    return b"bad" in resource.body


class ModelEnvoy:
    """What both protocols have in common; messages travel in queues, one at a time."""

    def __init__(self):
        self.clock = FakeClock()
        self.snapshot = None
        self.before = None
        self.have = {CDS: {}, EDS: {}, LDS: {}, RDS: {}}
        self.warming = set()
        self.active = set()
        """Clusters that are used, in this or an older version."""
        self.connect()

    def connect(self):
        """Begin a new stream; what the client has stays."""
        self.stream = self.machine(clock=self.clock, before=self.before)
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
        if response.type_url in OWNER and response.type_url not in self.started:
            self.unwanted(response)
            return
        wanted = self.watched.get(response.type_url)
        resources = [r for r in response.resources if wanted is None or r.name in wanted]
        refused = [r for r in resources if bad(r)]
        have = self.have[response.type_url]
        apply = [r for r in resources if not bad(r)]
        if refused and response.type_url in OWNER:
            apply = []  # anything from none to all of them; the worst case is none
        changed = [r for r in apply if have.get(r.name) != r]
        gone = self.gone(response)
        for name in gone:
            have.pop(name, None)
        have.update((r.name, r) for r in apply)
        if response.type_url == CDS:
            self.warming = (self.warming & have.keys()) | {r.name for r in changed if r.requires}
            self.active = (self.active & have.keys()) | (have.keys() - self.warming)
            self.watch(EDS, again=bool(changed))
            self.verdict_on_clusters(response, refused)
        else:
            if response.type_url == EDS:
                served = {r.name for r in apply} | set(response.removed)
                warm = {n for n in self.warming if have_all(self.have[CDS][n], served)}
                self.warming -= warm
                self.active |= warm
            if response.type_url == LDS:
                self.watch(RDS)
            self.verdict(response, refused)
            self.warmed_up()

    def verdict_on_clusters(self, response, refused):
        if refused:
            reasons = ", ".join(f"{r.name}: no" for r in refused)
            self.verdict(response, refused, f"Error adding/updating cluster(s) {reasons}")
        else:
            self.unacked_clusters.append(response)
        self.warmed_up()

    def warmed_up(self):
        """Acknowledge clusters when all are warm (rule 80), and go on."""
        if self.warming:
            return
        for response in self.cluster_acks():
            self.verdict(response, [])
        self.unacked_clusters = []
        for type_url in (CDS, LDS):
            if type_url not in self.started:
                self.begin(type_url)

    def names(self, type_url):
        return {n for r in self.have[OWNER[type_url]].values() for n in r.requires}


def have_all(cluster, served):
    return cluster.requires <= served


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

    def verdict(self, response, refused, text="no"):
        self.nonces[response.type_url] = response.nonce
        if not refused:
            self.versions[response.type_url] = response.version
        self.request(response.type_url, error=text if refused else None)


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

    def verdict(self, response, refused, text="no"):
        self.request(response.type_url, nonce=response.nonce, error=text if refused else None)

"""A few words in which the tests of the stream machines talk."""

from xds.delta import DeltaRequest, DeltaStream
from xds.snapshot import Resource, Snapshot
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION, SECRET

CDS, EDS, LDS, RDS, SDS = CLUSTER, LOAD_ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION, SECRET
SHORT = {CDS: "CDS", EDS: "EDS", LDS: "LDS", RDS: "RDS", SDS: "SDS"}


def world(clusters="", *, routes=None, edits=None):
    """
    Make a snapshot.

    Args:
        clusters: The names of clusters, each with endpoints of the same name; `a@s` is a cluster
            `a` on the endpoints `s`.
        routes: The clusters of each route configuration; listener `l` uses them all.
        edits: Any text that makes another version of a resource, by `CDS a` and the like.
    """
    edits = edits or {}
    routes = routes or {}
    services = {}
    for item in clusters.split():
        name, _, service = item.partition("@")
        services[name] = service or name

    def resource(kind, name, requires=()):
        key = f"{SHORT[kind]} {name}"
        body = f"{key} needs {' '.join(requires)} edit {edits.get(key, '')}".encode()
        return Resource.of(kind, name, body, requires=requires)

    resources = [resource(CDS, name, [service]) for name, service in services.items()]
    resources += [resource(EDS, name) for name in sorted(set(services.values()))]
    resources += [resource(RDS, name, used.split()) for name, used in routes.items()]
    if routes:
        resources.append(resource(LDS, "l", routes))
    return Snapshot.of(resources)


def said(responses):
    """Put responses into words: `CDS a b` brings two clusters, `EDS -x` says there is no x."""
    return [
        " ".join([SHORT[r.type_url], *(x.name for x in r.resources), *(f"-{n}" for n in r.removed)])
        for r in responses
    ]


class Client:
    """One side of a conversation, with the stream machine on the other."""

    def __init__(self, snapshot=None, *, before=None, only=""):
        self.clock = FakeClock()
        self.heard = []
        self.stream = self.make(clock=self.clock, heard=self.heard.append, before=before, only=only)
        if snapshot is not None:
            self.stream.publish(snapshot)

    def publish(self, snapshot, number=0):
        return self.stream.publish(snapshot, number)

    def wait(self, seconds):
        self.clock.advance(seconds)
        return self.stream.expire(self.clock())

    def kinds(self):
        return [receipt.kind.value for receipt in self.heard]


class Sotw(Client):
    make = SotwStream

    def ask(self, type_url, *names, version="", nonce="", error=None):
        return self.stream.receive(
            SotwRequest(type_url=type_url, names=names, version=version, nonce=nonce, error=error)
        )

    def ack(self, response, *names):
        return self.ask(response.type_url, *names, version=response.version, nonce=response.nonce)

    def nack(self, response, *names, text="no", version=""):
        return self.ask(
            response.type_url, *names, version=version, nonce=response.nonce, error=text
        )

    def start(self, *routes):
        """Do what a fresh Envoy does, until it has everything."""
        return start(self, self.ask, *routes)


class Delta(Client):
    make = DeltaStream

    def ask(self, type_url, *subscribe, drop=(), have=None, nonce="", error=None):
        return self.stream.receive(
            DeltaRequest(
                type_url=type_url,
                subscribe=subscribe,
                unsubscribe=tuple(drop),
                initial_versions=have or {},
                nonce=nonce,
                error=error,
            )
        )

    def ack(self, response, *_names):
        return self.ask(response.type_url, nonce=response.nonce)

    def nack(self, response, *_names, text="no"):
        return self.ask(response.type_url, nonce=response.nonce, error=text)

    def start(self, *routes):
        """Do what a fresh Envoy does, until it has everything."""
        return start(self, self.ask, *routes)


def start(client, ask, *routes):
    cds, *eds = ask(CDS)
    names = [resource.name for resource in eds[0].resources] if eds else []
    if eds:
        ask(EDS, *names)
        client.ack(eds[0], *names)
    client.ack(cds)
    for response in ask(LDS):
        client.ack(response)
    if routes:
        for response in ask(RDS, *routes):
            client.ack(response, *routes)
    return client

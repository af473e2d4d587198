"""Resources as short texts, and what `lower` makes of them as short values."""

from __future__ import annotations

from functools import cache

from translator.lower import lower
from translator.parse import parse
from translator.resources import build_index, read

_VERSIONS = {
    "VirtualService": "gateway.solo.io/v1",
    "RouteTable": "gateway.solo.io/v1",
    "Gateway": "gateway.solo.io/v1",
    "Upstream": "gloo.solo.io/v1",
    "UpstreamGroup": "gloo.solo.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}
HELLO = "directResponseAction: {status: 200}"


def document(kind, name, body, *, labels="{}", created=""):
    namespace, name = name.split("/")
    metadata = f"{{name: {name}, namespace: {namespace}, labels: {labels}"
    if created:
        metadata += f', creationTimestamp: "{created}"'
    version = _VERSIONS.get(kind, "v1")
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {metadata}}}\n{body}\n"


def route(matcher="", action=HELLO, *, name="", rest=""):
    parts = [f"matchers: [{matcher}]" if matcher else "", action, rest]
    if name:
        parts.append(f"name: {name}")
    return "{" + ", ".join(part for part in parts if part) + "}"


def virtual_service(*routes, name="ops/app", domains='["*"]', labels="{}", created=""):
    body = f"spec: {{virtualHost: {{domains: {domains}, routes: [{', '.join(routes)}]}}}}"
    return document("VirtualService", name, body, labels=labels, created=created)


def table(name, *routes, labels="{}", weight=0):
    body = f"spec: {{weight: {weight}, routes: [{', '.join(routes)}]}}"
    return document("RouteTable", name, body, labels=labels)


def upstream(name, body="static: {hosts: [{addr: 10.0.0.1, port: 80}]}"):
    return document("Upstream", name, f"spec: {{{body}}}")


def gateway(name, body="httpGateway: {}", *, created=""):
    return document("Gateway", name, f"spec: {{{body}}}", created=created)


def delegate(reference, matcher="", *, name="", rest=""):
    namespace, table_name = reference.split("/")
    namespace = f"namespace: {namespace}, " if namespace else ""
    action = f"delegateAction: {{ref: {{{namespace}name: {table_name}}}}}"
    return route(matcher, action, name=name, rest=rest)


def select(selector, matcher="", *, rest=""):
    return route(matcher, f"delegateAction: {{selector: {selector}}}", rest=rest)


def forward(reference, subset=""):
    namespace, name = reference.split("/")
    namespace = f"namespace: {namespace}, " if namespace else ""
    subset = f", subset: {{values: {subset}}}" if subset else ""
    return f"upstream: {{{namespace}name: {name}}}{subset}"


def single(reference, subset=""):
    return f"routeAction: {{single: {{{forward(reference, subset)}}}}}"


class World:
    """Some texts, lowered."""

    def __init__(self, *documents):
        self.files = {f"{number}.yaml": text for number, text in enumerate(documents)}
        readings = [
            reading for origin, text in self.files.items() for reading in _read(origin, text)
        ]
        self.index, self.conflicts = build_index(readings)
        self.read_diagnostics = [found for reading in readings for found in reading.diagnostics]
        self.lowered = lower(self.index)

    @property
    def diagnostics(self):
        return [finding.diagnostic for finding in self.lowered.findings]

    @property
    def found(self):
        """The findings as code, resource and the text that they point at."""
        return [self.brief(diagnostic) for diagnostic in self.diagnostics]

    @property
    def codes(self):
        return [diagnostic.code for diagnostic in self.diagnostics]

    def brief(self, diagnostic):
        assert diagnostic.resource is not None
        name = f"{diagnostic.resource.namespace}/{diagnostic.resource.name}"
        return diagnostic.code, name, self.text_at(diagnostic.position)

    def text_at(self, position):
        line = self.files[position.path].splitlines()[position.line - 1]
        return line[position.column - 1 : position.column - 1 + position.width]

    def diagnostic(self, code):
        (diagnostic,) = [found for found in self.diagnostics if found.code == code]
        return diagnostic

    def suffering(self, code):
        """The requests that routes would have taken, had it not been for a mistake."""
        (finding,) = [found for found in self.lowered.findings if found.diagnostic.code == code]
        victims = self.lowered.victims.get(finding.blame, ())
        return [str(match) for victim in victims for match in victim.matches]

    @property
    def hosts(self):
        return [
            host
            for proxy in self.lowered.proxies
            for configuration in proxy.route_configurations
            for host in configuration.virtual_hosts
        ]

    @property
    def routes(self):
        """The routes of the only virtual host."""
        (host,) = self.hosts
        return host.routes

    @property
    def served(self):
        """The matches of the valid routes, in order."""
        return [str(route.match) for route in self.routes if route.valid]

    @property
    def faulty(self):
        """The matches of the invalid routes with their codes, in order."""
        return [(str(route.match), *route.faults) for route in self.routes if not route.valid]


@cache
def _read(origin, text):
    parsed = parse(origin, text.encode())
    assert not parsed.diagnostics
    return [read(document, folder_namespace="gloo-system") for document in parsed.documents]

"""Valid configurations of several teams that share one Envoy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import yaml
from hypothesis import strategies as st

OPS = "gloo-system"
TEAMS = ("alpha", "bravo", "charlie", "delta")
POLICIES = {
    "hold": {},
    "replace": {"replaceInvalidRoutes": True},
    "keep": {"keepLastGoodRoutes": True},
}
_OPS_FOLDERS = ("gateway", OPS)
_REGEXES = (".*", "v[0-9]+", "(a|b)", "[^/]*")


@dataclass
class Team:
    """What one team has, while it is made up."""

    name: str
    documents: list[dict] = field(default_factory=list)
    upstreams: list[tuple[str, bool]] = field(default_factory=list)
    """Names, and whether they have the subset `version`."""
    groups: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Configuration:
    """A folder of valid files."""

    files: dict[str, bytes]
    policy: str
    teams: tuple[str, ...]
    selected: frozenset[str]
    """Teams whose tables the ops team chooses by label, below `/`."""
    ops: str
    """The folder of the ops team."""

    def of(self, team: str) -> dict[str, bytes]:
        """Give the files of a team."""
        return {o: text for o, text in self.files.items() if o.startswith(f"{team}/")}

    def lone(self, but: str) -> bool:
        """
        Tell whether a selector chooses one table of some weight only, but for those of a team.

        Gloo leaves the order of a single table as it is, and sorts the routes of several.
        """
        chosen = [
            (labels, document["spec"].get("weight", 0))
            for _, document in self.documents(but=but)
            if document["kind"] == "RouteTable"
            for labels in [str(document["metadata"].get("labels"))]
            if "public" in labels or "nested" in labels
        ]
        return any(count == 1 for count in Counter(chosen).values())

    def documents(self, but: str) -> list[tuple[str, dict]]:
        """Give all documents but those of one team, each with its file."""
        return [
            (origin, document)
            for origin, text in self.files.items()
            if not origin.startswith(f"{but}/")
            for document in yaml.safe_load_all(text)
        ]


def dump(documents) -> bytes:
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def resource(kind, namespace, name, spec=None, labels=None, **fields):
    group = {"Upstream": "gloo", "UpstreamGroup": "gloo", "Settings": "gloo"}.get(kind, "gateway")
    version = {
        "Service": "v1",
        "Pod": "v1",
        "Endpoints": "v1",
        "EndpointSlice": "discovery.k8s.io/v1",
    }.get(kind, f"{group}.solo.io/v1")
    metadata = {"name": name, "namespace": namespace} | ({"labels": labels} if labels else {})
    body = {} if spec is None else {"spec": spec}
    return {"apiVersion": version, "kind": kind, "metadata": metadata} | body | fields


@st.composite
def configurations(draw):
    """Make teams that own tables, upstreams and what is behind them, under domains of ops."""
    names = TEAMS[: draw(st.integers(2, 4))]
    teams = [draw(_teams(name)) for name in names]
    selected = frozenset(name for name in names if draw(st.booleans()))
    files = {}
    for team in teams:
        if team.name in selected:
            for document in team.documents:
                if document["metadata"]["name"].startswith("routes"):
                    document["metadata"]["labels"] = {"public": "yes"}
        files |= _spread(draw, team.name, team.documents)
    policy = draw(st.sampled_from(sorted(POLICIES)))
    ops = draw(st.sampled_from(_OPS_FOLDERS))
    files |= _spread(draw, ops, _ops(draw, names, selected, policy))
    return Configuration(files=files, policy=policy, teams=names, selected=selected, ops=ops)


def _spread(draw, folder, documents):
    """Write documents to one file, to a file for each kind, or to a file each."""
    style = draw(st.integers(0, 2))
    files: dict[str, list[dict]] = {}
    for document in documents:
        kind, name = document["kind"].lower(), document["metadata"]["name"]
        stem = ("all", kind, f"{kind}-{name}")[style]
        files.setdefault(f"{folder}/{stem}.yaml", []).append(document)
    return {origin: dump(documents) for origin, documents in files.items()}


@st.composite
def _teams(draw, name):
    team = Team(name)
    for index in range(draw(st.integers(1, 3))):
        _add_upstream(draw, team, f"up{index}", index)
    if draw(st.booleans()):
        team.groups.append("group")
        destinations = draw(_shares(team))
        team.documents.append(
            resource("UpstreamGroup", name, "group", {"destinations": destinations})
        )
    routes = _routes(draw, team, f"/{name}", draw(st.integers(1, 4)))
    if draw(st.booleans()):
        routes.insert(draw(st.integers(0, len(routes))), _nested(draw, team))
    labels = {"team": name}
    spec = {"routes": routes} | draw(st.sampled_from([{}, {}, {}, {"weight": 1}, {"weight": -1}]))
    team.documents.append(resource("RouteTable", name, "routes", spec, labels))
    if draw(st.integers(0, 2)) == 0:
        spec = {"routes": _routes(draw, team, f"/{name}/more", 1)}
        team.documents.append(resource("RouteTable", name, "routes-more", spec, labels))
    if draw(st.integers(0, 2)) == 0:
        routes = _routes(draw, team, "/", 1)
        host = {"domains": [f"{name}.example.org"], "routes": routes}
        team.documents.append(resource("VirtualService", name, "own", {"virtualHost": host}))
    return team


def _nested(draw, team):
    """Delegate a part of the team's paths to one or two tables of its own."""
    prefix = f"/{team.name}/nested"
    count = draw(st.integers(1, 2))
    for index in range(count):
        spec = {"routes": _routes(draw, team, f"{prefix}/{index}", draw(st.integers(1, 2)))}
        team.documents.append(
            resource("RouteTable", team.name, f"nested{index}", spec, {"nested": team.name})
        )
    target = {"selector": {"labels": {"nested": team.name}}}
    if count == 1 and draw(st.booleans()):
        target = {"ref": {"name": "nested0", "namespace": team.name}}
    route = {"matchers": [{"prefix": prefix}], "delegateAction": target}
    if draw(st.booleans()):
        route["options"] = {"timeout": "7s"}
    return route


def _add_upstream(draw, team, name, index):
    has_subset = draw(st.booleans())
    subsets = {"subsetSpec": {"selectors": [{"keys": ["version"]}]}} if has_subset else {}
    number = TEAMS.index(team.name) * 10 + index
    team.upstreams.append((name, has_subset))
    if draw(st.booleans()):
        hosts = [
            {"addr": f"10.0.{number}.{host}", "port": 80}
            | ({"metadata": {"envoy.lb": {"version": f"v{host}"}}} if has_subset else {})
            for host in range(1, 3)
        ]
        if draw(st.integers(0, 3)) == 0:
            hosts = [{"addr": f"{team.name}.internal", "port": 80}]
        static = {"static": {"hosts": hosts} | subsets}
        team.documents.append(resource("Upstream", team.name, name, static))
        return
    kube = {"serviceName": f"svc{index}", "servicePort": 80} | subsets
    team.documents.append(resource("Upstream", team.name, name, {"kube": kube}))
    team.documents.append(
        resource("Service", team.name, f"svc{index}", {"ports": [{"name": "http", "port": 80}]})
    )
    pods = [(f"pod{index}-{pod}", f"10.1.{number}.{pod}", f"v{pod}") for pod in range(1, 3)]
    for pod, address, version in pods:
        labels = {"version": version}
        document = resource("Pod", team.name, pod, labels=labels, status={"podIP": address})
        team.documents.append(document)
    by_name = draw(st.booleans())
    endpoints = [
        {"addresses": [address]} | ({"targetRef": {"kind": "Pod", "name": pod}} if by_name else {})
        for pod, address, _ in pods
    ]
    team.documents.append(
        resource(
            "EndpointSlice",
            team.name,
            f"svc{index}-x1",
            labels={"kubernetes.io/service-name": f"svc{index}"},
            addressType="IPv4",
            ports=[{"name": "http", "port": 8080}],
            endpoints=endpoints,
        )
    )


def _routes(draw, team, prefix, count):
    return [draw(_route(team, prefix.rstrip("/"), index)) for index in range(count)]


@st.composite
def _route(draw, team, prefix, index):
    route = {"name": f"r{index}"} if draw(st.booleans()) else {}
    count = draw(st.sampled_from([1, 1, 1, 2]))
    route["matchers"] = [draw(_matcher(prefix, index)) for _ in range(count)]
    match draw(st.integers(0, 5)):
        case 0:
            route["directResponseAction"] = {"status": 200, "body": team.name}
        case 1:
            route["redirectAction"] = {"hostRedirect": f"{team.name}.test", "responseCode": "FOUND"}
        case 2:
            route["routeAction"] = {"multi": {"destinations": draw(_shares(team))}}
        case 3 if team.groups:
            route["routeAction"] = {"upstreamGroup": {"name": team.groups[0]}}
        case _:
            route["routeAction"] = {"single": draw(_destination(team))}
    if draw(st.integers(0, 2)) == 0:
        route["options"] = draw(_options("routeAction" in route))
    return route


@st.composite
def _matcher(draw, prefix, index):
    kind = draw(st.sampled_from(["prefix", "prefix", "exact", "regex"]))
    path = f"{prefix}/{draw(st.sampled_from(['a', 'b', 'c']))}{index}"
    matcher = {kind: path + draw(st.sampled_from(_REGEXES)) if kind == "regex" else path}
    if draw(st.integers(0, 2)) == 0:
        matcher["headers"] = [
            draw(
                st.sampled_from(
                    [
                        {"name": "stage", "value": "canary"},
                        {"name": "X-Debug"},
                        {"name": "x-user", "value": "a.*", "regex": True, "invertMatch": True},
                    ]
                )
            )
        ]
    if draw(st.integers(0, 4)) == 0:
        matcher["methods"] = ["GET", "POST"]
    if draw(st.integers(0, 4)) == 0:
        matcher["queryParameters"] = [{"name": "q", "value": "1"}]
    return matcher


@st.composite
def _destination(draw, team):
    name, has_subset = draw(st.sampled_from(team.upstreams))
    destination = {"upstream": {"name": name}}
    if draw(st.booleans()):
        destination["upstream"]["namespace"] = team.name
    if has_subset and draw(st.booleans()):
        destination["subset"] = {"values": {"version": draw(st.sampled_from(["v1", "v2"]))}}
    return destination


@st.composite
def _shares(draw, team):
    return [
        {"weight": draw(st.sampled_from([1, 10, 99])), "destination": draw(_destination(team))}
        for _ in range(draw(st.integers(1, 3)))
    ]


@st.composite
def _options(draw, forwards):
    options = {}
    if draw(st.booleans()):
        options["headerManipulation"] = {
            "requestHeadersToAdd": [{"header": {"key": "x-from", "value": "penstock"}}],
            "responseHeadersToRemove": ["server"],
        }
    if forwards:
        options |= draw(
            st.sampled_from(
                [{"prefixRewrite": "/"}, {"timeout": "2s"}, {"retries": {"retryOn": "5xx"}}]
            )
        )
    return options


def _ops(draw, names, selected, policy):
    """Make domains that lead to the teams, gateways and settings."""
    spec = {"gloo": {"invalidConfigPolicy": POLICIES[policy]}}
    documents = [resource("Settings", OPS, "default", spec)]
    routes = [_by_ref(name) for name in names if name not in selected]
    if selected:
        selector = {"labels": {"public": "yes"}, "namespaces": ["*"]}
        if draw(st.booleans()):
            public = {"key": "public", "operator": "In", "values": ["yes"]}
            selector = {"expressions": [public], "namespaces": ["*"]}
        below = {"matchers": [{"prefix": "/"}], "delegateAction": {"selector": selector}}
        routes.insert(draw(st.integers(0, len(routes))), below)
    domains = draw(
        st.sampled_from([["*"], ["app.example.com"], ["*.example.com", "app.test", "app.test:80"]])
    )
    host = {"domains": domains, "routes": routes}
    documents.append(resource("VirtualService", OPS, "app", {"virtualHost": host}))
    if draw(st.booleans()):
        host = {"domains": ["api.example.net"], "routes": [_by_ref(name) for name in names]}
        documents.append(resource("VirtualService", OPS, "api", {"virtualHost": host}))
    for index in range(draw(st.integers(1, 2))):
        spec = {"bindPort": 8080 + index, "httpGateway": {}}
        if index and draw(st.booleans()):
            spec["proxyNames"] = ["gateway-proxy", "other-proxy"]
        documents.append(resource("Gateway", OPS, f"gateway{index}", spec))
    return documents


def _by_ref(name):
    target = {"ref": {"name": "routes", "namespace": name}}
    return {"matchers": [{"prefix": f"/{name}"}], "delegateAction": target}

"""Two teams under one domain, whose files are edited one after the other."""

from __future__ import annotations

from translator import ir
from translator.pipeline import Inputs, translate

APP = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes:
      - matchers: [{prefix: /echo}]
        delegateAction: {ref: {name: routes, namespace: echo}}
      - matchers: [{prefix: /foxtrot}]
        delegateAction: {ref: {name: routes, namespace: foxtrot}}
"""
SELECTING = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes:
      - matchers: [{prefix: /}]
        delegateAction: {selector: {labels: {public: 'yes'}, namespaces: ['*']}}
"""


def upstream(name, *hosts):
    listed = ", ".join(
        f"{{addr: 10.0.0.{host}, port: 80, metadata: {{envoy.lb: {{version: v{host}}}}}}}"
        for host in hosts or (1, 2)
    )
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: {name}, namespace: gloo-system}}
spec:
  static:
    hosts: [{listed}]
    subsetSpec: {{selectors: [{{keys: [version]}}]}}
"""


def kube(name, *pods):
    """Write an upstream whose endpoints come from a Service."""
    endpoints = ", ".join(f"{{addresses: [10.0.1.{pod}]}}" for pod in pods)
    return (
        f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: {name}, namespace: gloo-system}}
spec: {{kube: {{serviceName: {name}, serviceNamespace: services, servicePort: 80}}}}
""",
        f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: services}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, namespace: services, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{endpoints}]
""",
    )


def table(team, *routes):
    head = f"""\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: routes, namespace: {team}, labels: {{public: 'yes'}}}}
spec:
  routes:
"""
    return head + "".join(f"    - {route}\n" for route in routes)


def route(path, upstream, *, header="", name="", subset="v1"):
    headers = f", headers: [{{name: stage, value: {header}}}]" if header else ""
    named = f"name: {name}, " if name else ""
    return (
        f"{{{named}matchers: [{{prefix: {path}{headers}}}], routeAction: {{single: {{"
        f"upstream: {{name: {upstream}, namespace: gloo-system}}, "
        f"subset: {{values: {{version: {subset}}}}}}}}}}}"
    )


def split(path, *members):
    listed = ", ".join(
        f"{{weight: {weight}, destination: "
        f"{{upstream: {{name: {upstream}, namespace: gloo-system}}}}}}"
        for upstream, weight in members
    )
    return (
        f"{{matchers: [{{prefix: {path}}}], routeAction: {{multi: {{destinations: [{listed}]}}}}}}"
    )


def settings(**policy):
    listed = ", ".join(f"{key}: {value}" for key, value in policy.items())
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Settings
metadata: {{name: default, namespace: gloo-system}}
spec: {{gloo: {{invalidConfigPolicy: {{{listed}}}}}}}
"""


HOLD = settings()
REPLACE = settings(replaceInvalidRoutes="true")
KEEP = settings(keepLastGoodRoutes="true")


class Story:
    """A folder over time."""

    def __init__(self, policy=HOLD, **files):
        self.files = {
            "gateway/app.yaml": APP,
            "gateway/settings.yaml": policy,
            "gateway/echo.yaml": upstream("echo"),
            "gateway/foxtrot.yaml": upstream("foxtrot"),
            "echo/routes.yaml": table(
                "echo", route("/echo", "echo", header="canary", subset="v2"), route("/echo", "echo")
            ),
            "foxtrot/routes.yaml": table("foxtrot", route("/foxtrot", "foxtrot")),
        } | {name.replace("__", "/") + ".yaml": text for name, text in files.items()}
        self.now = None
        self.translate()

    def edit(self, **files):
        """Write files (None deletes one), and translate."""
        for name, text in files.items():
            origin = name.replace("__", "/") + ".yaml"
            if text is None:
                del self.files[origin]
            else:
                self.files[origin] = text
        self.translate()
        return self

    def translate(self):
        texts = {
            origin: text if isinstance(text, bytes) else text.encode()
            for origin, text in self.files.items()
        }
        self.now = translate(Inputs(files=texts), self.now)

    @property
    def served(self):
        (served,) = self.now.served.values()
        return served

    @property
    def proxy(self):
        return self.served.proxy

    @property
    def routes(self):
        """What answers which requests, in order."""
        return [
            (str(route.match), brief(route))
            for configuration in self.proxy.route_configurations
            for host in configuration.virtual_hosts
            for route in host.routes
        ]

    @property
    def findings(self):
        return [f"{found.position} {found.code}" for found in self.now.diagnostics]

    @property
    def effects(self):
        return [found.effect for found in self.now.diagnostics]


def brief(route):
    match route.action:
        case ir.Forward(destination=destination):
            version = dict(destination.subset).get("version", "")
            return f"{destination.cluster.partition('_')[0]} {version}".strip()
        case ir.Split(members=members):
            return " ".join(
                f"{member.destination.cluster.partition('_')[0]}={member.weight}"
                for member in members
            )
        case ir.DirectResponse(status=status):
            share = route.match.share
            return str(status) if share == 1_000_000 else f"{status} for {share}"

"""
Realistic worlds of three sizes, as files: the same size is always the same text.

A team has two tables for each of its applications. Each application has an Upstream with a subset
for every version, a Service, an EndpointSlice and four Pods. An ops team owns the domains: each
leads to a hundred tables, by name or, every second one, by their labels.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROUTES_PER_TABLE = 10
TABLES_PER_DOMAIN = 100
TABLES_PER_TEAM = 10
TABLES_PER_UPSTREAM = 2
PODS_PER_UPSTREAM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How many there are of what."""

    name: str
    tables: int

    @property
    def routes(self):
        return self.tables * ROUTES_PER_TABLE

    @property
    def upstreams(self):
        return self.tables // TABLES_PER_UPSTREAM

    @property
    def pods(self):
        return self.upstreams * PODS_PER_UPSTREAM

    @property
    def domains(self):
        return self.tables // TABLES_PER_DOMAIN

    def files(self) -> dict[str, bytes]:
        """Write everything, by origin."""
        texts = {f"ops/domain-{number}.yaml": domain(number) for number in range(self.domains)}
        for number in range(self.tables):
            texts[table_origin(number)] = table(number)
        for number in range(self.upstreams):
            texts[upstream_origin(number)] = upstream(number)
            texts[pods_origin(number)] = pods(number)
        return {origin: text.encode() for origin, text in sorted(texts.items())}

    def write(self, folder: Path) -> None:
        """Put everything into a folder."""
        for origin, text in self.files().items():
            path = folder / origin
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)


S = World(name="S", tables=100)
M = World(name="M", tables=1_000)
L = World(name="L", tables=10_000)
ALL = {world.name: world for world in (S, M, L)}


def one_file(folder: Path) -> Path:
    """Write the smallest world that there is, and return its file."""
    path = folder / "ops" / "app.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("""\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /}]
      routeAction: {single: {upstream: {name: app}}}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: app}
spec:
  static: {hosts: [{addr: 127.0.0.1, port: 80}]}
""")
    return path


def team(table_number):
    return f"team-{table_number // TABLES_PER_TEAM}"


def gateway(port):
    """Write a gateway that takes requests on loopback."""
    return f"""\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {{name: gateway-proxy, namespace: gloo-system}}
spec:
  bindAddress: 127.0.0.1
  bindPort: {port}
  httpGateway: {{}}
"""


def by_label(domain_number):
    """Tell whether a domain chooses its tables by label."""
    return domain_number % 2 == 1


def table_origin(number):
    return f"{team(number)}/routes-{number}.yaml"


def upstream_origin(number):
    return f"{team(number * TABLES_PER_UPSTREAM)}/app-{number}.yaml"


def pods_origin(number):
    return f"{team(number * TABLES_PER_UPSTREAM)}/pods-{number}.yaml"


def domain_name(table_number):
    return f"domain-{table_number // TABLES_PER_DOMAIN}.test"


def path_of(table_number, route_number):
    """Return the path of one of the routes of a table."""
    return f"/table-{table_number}/service-{route_number // 2}"


def domain(number):
    """Write a virtual service of the ops team."""
    text = f"""\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: domain-{number}}}
spec:
  virtualHost:
    domains: [domain-{number}.test]
    routes:
"""
    if by_label(number):
        return (
            text
            + f"""\
    - matchers: [{{prefix: /}}]
      delegateAction:
        selector:
          labels: {{domain: domain-{number}}}
          namespaces: ['*']
"""
        )
    first = number * TABLES_PER_DOMAIN
    return text + "".join(
        f"""\
    - matchers: [{{prefix: /table-{each}}}]
      delegateAction:
        ref: {{name: routes-{each}, namespace: {team(each)}}}
"""
        for each in range(first, first + TABLES_PER_DOMAIN)
    )


def probe_path(table_number):
    """Return the path of the route that answers by itself, if the table has one."""
    return f"/table-{table_number}/probe"


def table(number, weight=50, probe=""):
    """
    Write a team's table: half of its routes by header and half of them by weight.

    Args:
        number: Its number.
        weight: The share of the second version, of 100.
        probe: What one more route answers, without any backend; no such route if empty.
    """
    text = f"""\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata:
  name: routes-{number}
  labels: {{domain: domain-{number // TABLES_PER_DOMAIN}}}
spec:
  routes:
"""
    if probe:
        text += f"""\
    - matchers:
        - exact: {probe_path(number)}
      directResponseAction:
        status: 200
        body: {probe}
"""
    backend = f"app-{number // TABLES_PER_UPSTREAM}"
    for route in range(0, ROUTES_PER_TABLE, 2):
        path = path_of(number, route)
        text += f"""\
    - matchers:
        - prefix: {path}
          headers:
            - name: stage
              value: canary
      routeAction:
        single:
          upstream:
            name: {backend}
          subset:
            values:
              version: v2
    - matchers:
        - prefix: {path}
      routeAction:
        multi:
          destinations:
            - weight: {100 - weight}
              destination:
                upstream:
                  name: {backend}
                subset:
                  values:
                    version: v1
            - weight: {weight}
              destination:
                upstream:
                  name: {backend}
                subset:
                  values:
                    version: v2
"""
    return text


def upstream(number):
    """Write an application as the routes see it."""
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: app-{number}}}
spec:
  kube:
    serviceName: app-{number}
    servicePort: 80
    subsetSpec:
      selectors:
        - keys: [version]
"""


def pods(number, generation=0):
    """
    Write an application as Kubernetes sees it.

    Args:
        number: Its number.
        generation: How often its first pod was replaced by one with another address.
    """
    name, namespace = f"app-{number}", team(number * TABLES_PER_UPSTREAM)
    addresses = [f"10.{number // 250}.{number % 250}.{pod}" for pod in range(PODS_PER_UPSTREAM)]
    if generation:
        addresses[0] = f"10.{100 + generation % 100}.{number // 250}.{number % 250}"
    text = f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports:
    - {{name: http, port: 80, targetPort: 8080}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports:
  - {{name: http, port: 8080}}
endpoints:
"""
    for pod, address in enumerate(addresses):
        text += f"""\
  - addresses: [{address}]
    conditions: {{ready: true}}
    targetRef: {{kind: Pod, name: {name}-{pod}, namespace: {namespace}}}
"""
    for pod, address in enumerate(addresses):
        text += f"""\
---
apiVersion: v1
kind: Pod
metadata:
  name: {name}-{pod}
  labels: {{app: {name}, version: {"v1" if pod < PODS_PER_UPSTREAM // 2 else "v2"}}}
status: {{podIP: {address}}}
"""
    return text


if __name__ == "__main__":
    ALL[sys.argv[1]].write(Path(sys.argv[2]))

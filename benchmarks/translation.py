"""
Measure a translation stage by stage, over PyYAML's own parse of the same texts.

The world has many teams, each with tables of header routes and weighted routes to the subsets of
its upstream. Besides the first translation it measures the next one, after an edit of one table.
"""

import time

import yaml

from translator.emit import emit
from translator.emit.proxyless import emit_proxyless, proxyless
from translator.pipeline import Inputs, translate
from xds.types import LISTENER

WORLDS = (100, 1_000)
"""How many tables there are."""
ROUTES_PER_TABLE = 10

SERVICE = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*', app.test]
    routes:
"""


def main():
    for tables in WORLDS:
        measure(tables)


def measure(tables):
    files = world(tables, ROUTES_PER_TABLE)
    edited = files | {"team-0/routes.yaml": table(0, ROUTES_PER_TABLE, weight=33).encode()}
    parsed = timed(lambda: [list(yaml.load_all(t, yaml.CSafeLoader)) for t in files.values()])[1]
    first, whole = timed(lambda: translate(Inputs(files=files)))
    snapshot, encoding = timed(lambda: emit(first.proxies[0]))
    second, again = timed(lambda: translate(Inputs(files=edited), first))
    _, encoding_again = timed(lambda: emit(second.proxies[0], (first.proxies[0], snapshot)))
    (calls, grpc), encoding_grpc = timed(lambda: encode_for_grpc(first.proxies[0]))
    _, grpc_again = timed(lambda: encode_for_grpc(second.proxies[0], (calls, grpc)))
    assert grpc.resources(LISTENER)
    assert first.diagnostics == second.diagnostics == ()

    print(f"{tables:,} tables with {tables * ROUTES_PER_TABLE:,} routes")
    print(f"{'':34}{'':>10}{'over YAML':>12}")
    for name, seconds in {
        "PyYAML's C parse": parsed,
        "translate": whole,
        "emit": encoding,
        "translate after an edit": again,
        "emit after an edit": encoding_again,
        "emit for gRPC": encoding_grpc,
        "emit for gRPC after an edit": grpc_again,
    }.items():
        print(f"{name:34}{seconds * 1000:7.1f} ms{seconds / parsed:12.2f}")


def encode_for_grpc(proxy, previous=None):
    calls = proxyless(proxy)
    return calls, emit_proxyless(calls, previous)


def timed(work):
    """Return the result and the shortest of three times, in seconds of this process."""
    times = []
    for _ in range(3):
        began = time.process_time()
        result = work()
        times.append(time.process_time() - began)
    return result, min(times)


def world(tables, routes):
    """Write the files of many teams."""
    service = SERVICE + "".join(
        f"      - matchers: [{{prefix: /team-{team}}}]\n"
        f"        delegateAction: {{ref: {{name: routes, namespace: team-{team}}}}}\n"
        for team in range(tables)
    )
    files = {"app.yaml": service}
    for team in range(tables):
        files[f"team-{team}/routes.yaml"] = table(team, routes)
        files[f"team-{team}/upstream.yaml"] = upstream(team)
    return {origin: text.encode() for origin, text in files.items()}


def table(team, routes, weight=50):
    """Write a team's routes, half of them by header and half of them by weight."""
    text = """\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: routes}
spec:
  routes:
"""
    for number in range(routes // 2):
        path = f"/team-{team}/service-{number}"
        text += f"""\
    - matchers:
        - prefix: {path}
          headers: [{{name: stage, value: canary}}]
      routeAction:
        single:
          upstream: {{name: backend}}
          subset: {{values: {{version: v2}}}}
    - matchers: [{{prefix: {path}}}]
      routeAction:
        multi:
          destinations:
            - weight: {100 - weight}
              destination:
                upstream: {{name: backend}}
                subset: {{values: {{version: v1}}}}
            - weight: {weight}
              destination:
                upstream: {{name: backend}}
                subset: {{values: {{version: v2}}}}
"""
    return text


def upstream(team):
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: backend}}
spec:
  static:
    hosts:
      - {{addr: 10.{team // 250}.{team % 250}.1, port: 80, metadata: {{envoy.lb: {{version: v1}}}}}}
      - {{addr: 10.{team // 250}.{team % 250}.2, port: 80, metadata: {{envoy.lb: {{version: v2}}}}}}
    subsetSpec: {{selectors: [{{keys: [version]}}]}}
"""


if __name__ == "__main__":
    main()

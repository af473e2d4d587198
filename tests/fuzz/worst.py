"""Inputs of about 100 kB that ask for as much work as a text can."""

from __future__ import annotations

import itertools

SIZE = 100_000
ANSWER = "directResponseAction: {status: 200}"
SELECT_ALL = "{delegateAction: {selector: {labels: {a: b}, namespaces: ['*']}}}"


def service(routes, name="app", domains="['*']"):
    return (
        "apiVersion: gateway.solo.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}, namespace: gloo-system}}\n"
        f"spec: {{virtualHost: {{domains: {domains}, routes: [{routes}]}}}}\n"
    )


def table(name, routes):
    return (
        "apiVersion: gateway.solo.io/v1\nkind: RouteTable\n"
        f"metadata: {{name: {name}, namespace: t, labels: {{a: b}}}}\n"
        f"spec: {{routes: [{routes}]}}\n"
    )


def upstream(name, spec):
    return (
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\n"
        f"metadata: {{name: {name}, namespace: gloo-system}}\nspec: {spec}\n"
    )


def to(name):
    return f"{{delegateAction: {{ref: {{name: {name}, namespace: t}}}}}}"


def forward(destination):
    return f"{{routeAction: {{single: {destination}}}}}"


def fill(write, separator=", ", size=SIZE):
    """Join what is written of 0, 1, 2 and so on, up to the size."""
    parts, length = [], 0
    for number in itertools.count():
        part = write(number)
        length += len(part) + len(separator)
        if length > size:
            return separator.join(parts)
        parts.append(part)
    raise AssertionError


def matching(matcher):
    return service(fill(lambda n: f"{{matchers: [{matcher % n}], {ANSWER}}}"))


def documents(write, size=SIZE):
    return fill(write, "---\n", size)


def bomb(depth=20):
    tables = [table(f"t{n}", f"{to(f't{n + 1}')}, {to(f't{n + 1}')}") for n in range(depth)]
    return "---\n".join([service(to("t0")), *tables, table(f"t{depth}", f"{{{ANSWER}}}")])


def many_headers(values):
    return "{matchers: [{prefix: /, headers: [%s]}], %s}" % (  # noqa: UP031 (braces)
        fill(lambda n: f"{{name: h{n}{values}}}", size=SIZE // 2),
        ANSWER,
    )


def subsets():
    hosts = fill(
        lambda n: f"{{addr: 1.1.1.1, port: {n + 1}, metadata: {{envoy.lb: {{v: b{n}}}}}}}",
        size=SIZE // 2,
    )
    spec = f"{{static: {{hosts: [{hosts}], subsetSpec: {{selectors: [{{keys: [v]}}]}}}}}}"
    uses = fill(
        lambda n: forward(f"{{upstream: {{name: u}}, subset: {{values: {{v: a{n}}}}}}}"),
        size=SIZE // 2,
    )
    return f"{service(uses)}---\n{upstream('u', spec)}"


def one_service():
    upstreams = documents(
        lambda n: upstream(
            f"u{n}", "{kube: {serviceName: s, serviceNamespace: t, servicePort: 80}}"
        ),
        SIZE // 2,
    )
    ends = fill(lambda n: f"{{addresses: [10.0.{n // 250}.{n % 250}]}}", size=SIZE // 2)
    return f"""\
{upstreams}---
apiVersion: v1
kind: Service
metadata: {{name: s, namespace: t}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: s, namespace: t, labels: {{kubernetes.io/service-name: s}}}}
ports: [{{port: 80}}]
endpoints: [{ends}]
"""


def aliased_mistakes():
    def one(n):
        return (
            "apiVersion: gateway.solo.io/v1\nkind: RouteTable\n"
            f"metadata: {{name: a{n}, namespace: b}}\nspec:\n  routes:\n"
            f"  - &r {{matchers: [{', '.join(['{prefx: 1}'] * 300)}]}}\n" + "  - *r\n" * 100
        )

    return documents(one)


def misspelt_upstreams():
    uses = fill(
        lambda n: f"{{routeAction: {{single: {{upstream: {{name: echo-tyqo{n}}}}}}}}}",
        size=SIZE // 2,
    )
    static = "{static: {hosts: [{addr: 1.1.1.1, port: 1}]}}"
    return f"{service(uses)}---\n" + documents(
        lambda n: upstream(f"echo-typo-{n}", static), SIZE // 2
    )


FOUND = {
    "headers by expression": lambda: matching(
        "{prefix: /, headers: [{name: x, value: 'a%d.*', regex: true}]}"
    ),
    "headers inverted": lambda: matching(
        "{prefix: /, headers: [{name: x, value: '%d', invertMatch: true}]}"
    ),
    "methods": lambda: matching("{prefix: /, methods: [M%d]}"),
    "query parameters": lambda: matching("{prefix: /, queryParameters: [{name: x, value: '%d'}]}"),
    "the same matcher": lambda: service(
        f"{{matchers: [{fill(lambda _: '{prefix: /a}')}], {ANSWER}}}"
    ),
    "a long prefix": lambda: service(f"{{matchers: [{{prefix: /{'a' * SIZE}}}], {ANSWER}}}"),
    "headers of two routes": lambda: service(f"{many_headers('')}, {many_headers(', value: a')}"),
    "tables that delegate twice": bomb,
    "tables that select each other": lambda: (
        service(SELECT_ALL) + "---\n" + documents(lambda n: table(f"t{n}", SELECT_ALL), 5_000)
    ),
    "upstreams of one service": one_service,
    "aliased mistakes": aliased_mistakes,
}
"""Those that once took long."""

OTHERS = {
    "prefixes of each other": lambda: service(
        fill(lambda n: f"{{matchers: [{{prefix: /{'a' * (400 - n)}}}], {ANSWER}}}")
    ),
    "expressions over paths": lambda: service(
        fill(
            lambda n: (
                f"{{matchers: [{{regex: '.*{n}'}}], {ANSWER}}}, "
                f"{{matchers: [{{exact: '/x{n}'}}], {ANSWER}}}"
            )
        )
    ),
    "matchers": lambda: service(f"{{matchers: [{fill(lambda n: f'{{prefix: /{n}}}')}], {ANSWER}}}"),
    "a long expression": lambda: service(f"{{matchers: [{{regex: '{'(a|b)' * 20_000}'}}]}}"),
    "unknown fields": lambda: service(f"{{{fill(lambda n: f'f{n}: 1')}}}"),
    "broken routes": lambda: service(fill(lambda n: f"{{f{n}: 1}}")),
    "equal keys": lambda: service(f"{{{fill(lambda _: 'f: 1')}}}"),
    "documents": lambda: "---\na: 1\n" * (SIZE // 9),
    "empty documents": lambda: "---\n" * (SIZE // 4),
    "broken documents": lambda: "---\na: [\n" * (SIZE // 9),
    "quotes that are not closed": lambda: "---\nb: '\n" * (SIZE // 9),
    "tabs": lambda: "---\n\ta: 1\n" * (SIZE // 10),
    "one identity": lambda: documents(lambda _: table("x", "")),
    "control characters": lambda: "---\na: \x01\n" * (SIZE // 9),
    "items of a list": lambda: "apiVersion: v1\nkind: List\nitems:\n" + "- {}\n" * (SIZE // 5),
    "lists in lists": lambda: "{apiVersion: v1, kind: List, items: [" * 60 + "]}" * 60,
    "an alias bomb": lambda: (
        "a0: &a0 [x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    ),
    "aliases of nothing": lambda: f"a: [{'*b, ' * (SIZE // 4)}]",
    "merge keys": lambda: (
        f"x: &x {{{fill(lambda n: f'k{n}: 1', size=3000)}}}\n"
        + "".join(f"y{n}: {{<<: *x}}\n" for n in range(300))
    ),
    "deep lists": lambda: "[" * SIZE,
    "deep items": lambda: "- " * (SIZE // 2),
    "deep mappings": lambda: "\n".join(" " * n + "a:" for n in range(440)),
    "a long line": lambda: "a: '" + "x" * SIZE,
    "long numbers": lambda: service(fill(lambda _: f"{{matchers: [{{prefix: {'1' * 390}}}]}}")),
    "keys that are lists": lambda: "? [a]\n: b\n" * (SIZE // 11),
    "tags": lambda: f"a: [{'!x y, ' * (SIZE // 6)}]",
    "unreached tables": lambda: documents(lambda n: table(f"x{n}", "")),
    "misspelt upstreams": misspelt_upstreams,
    "one domain": lambda: documents(lambda n: service("", f"v{n}")),
    "a domain often": lambda: service("", domains=f"[{fill(lambda _: 'a.b')}]"),
    "subsets": subsets,
}

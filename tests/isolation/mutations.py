"""
What one team can do to its own files, by mistake or on purpose.

A mutation takes the files of a team and gives other ones; it never touches those of anybody else.
What it writes may speak of anybody, though.
"""

from __future__ import annotations

import copy
import re

import yaml
from hypothesis import strategies as st
from teams import OPS, dump, resource

_TOKEN = re.compile(rb"[A-Za-z0-9_./-]+")
_NUMBER = re.compile(rb"\b[0-9]+\b")
_VALUE = re.compile(rb"(?<=: )[^\n]+")
_NUMBERS = (b"0", b"-1", b"1" * 30, b"9" * 5000, b"1e400", b"0x1f", b"010", b"1_0", b"4294967296")
_SURPRISES = (
    *(b"yes", b"no", b"On", b"null", b"~", b"", b"1.10", b"12:30:45", b"2024-01-01", b".inf"),
    *(b"*nothing", b"&anchor", b"<<", b"!!binary x", b"!tag y", b"{{ value }}", b"[", b"}", b'"'),
    *(b"| x", b"- x", b"'", b"# gone", b"% x", b"? x", b"\xff\xfe", b"\x00", b"\xe2\x80\xa8"),
)
_VALUES = (
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "*", "/", "../..", "a b", "[", "(?", "\\C", "\n"),
    *([], {}, [[]], {"": ""}, [None], ["x"] * 3, {"x": {"y": 1}}, "é" * 400),
)
_KINDS = (
    *("RouteTable", "VirtualService", "Gateway", "Upstream", "UpstreamGroup", "Settings"),
    *("Service", "EndpointSlice", "Endpoints", "Pod", "List", "RouteOption", "ConfigMap", "x"),
)
_BOMB = b"---\na: &a [x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (new, new, b", ".join([b"*%c" % old] * 8))
    for old, new in zip(b"abcdefgh", b"bcdefghi", strict=True)
)


def mutate(draw, files, team, configuration):
    """Change the files of a team once; returns what they are then."""
    mutation = draw(st.sampled_from((*_ON_TEXT, *_ON_DOCUMENTS, *_ON_DOCUMENTS, *_HOSTILE)))
    if mutation in _HOSTILE:
        return _write(draw, files, team, configuration, mutation(draw, team, configuration))
    if not files:
        return files
    origin = draw(st.sampled_from(sorted(files)))
    if mutation in _ON_TEXT:
        return files | {origin: mutation(draw, files[origin])}
    if b"&" in files[origin]:
        # An alias bomb is for the translator to survive; to walk it here would take all memory.
        return files
    try:
        documents = [one for one in yaml.safe_load_all(files[origin]) if isinstance(one, dict)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return files
    if not documents:
        return files
    changed = mutation(draw, documents, team, configuration)
    try:
        return files | {origin: dump(changed)}
    except (yaml.YAMLError, RecursionError):
        return files


def _write(draw, files, team, configuration, documents):
    """Write documents in front of a file, behind it, or to a new file."""
    text = dump(documents)
    origin = draw(
        st.sampled_from(
            [
                f"{team}/0.yaml",
                f"{team}/{draw(st.sampled_from([*configuration.teams, OPS]))}/z.yaml",
                *sorted(files),
            ]
        )
    )
    there = files.get(origin, b"")
    if draw(st.booleans()):
        return files | {origin: text + b"---\n" + there}
    return files | {origin: there + b"\n---\n" + text}


# Mutations of text


def _spot(draw, text):
    return draw(st.integers(0, max(0, len(text) - 1)))


def _found(draw, pattern, text):
    """Choose one of the places where a pattern matches."""
    spans = [match.span() for match in pattern.finditer(text)]
    return draw(st.sampled_from(spans)) if spans else (0, 0)


def _mistype(draw, text):
    start, end = _found(draw, _TOKEN, text)
    if start == end:
        return text
    place = draw(st.integers(start, end - 1))
    typed = draw(
        st.sampled_from([b"", b"x", text[place : place + 1] * 2, b"-", b" ", b":", b"\xc3"])
    )
    return text[:place] + typed + text[place + 1 :]


def _another_case(draw, text):
    start, end = _found(draw, _TOKEN, text)
    return text[:start] + text[start:end].swapcase() + text[end:]


def _lines(draw, text):
    lines = text.split(b"\n")
    start = draw(st.integers(0, len(lines) - 1))
    end = min(len(lines), start + draw(st.integers(1, 4)))
    some = lines[start:end]
    match draw(st.integers(0, 6)):
        case 0:
            some = []
        case 1:
            some = some + some
        case 2:
            some = some[::-1]
        case 3:
            some = [b" " + line for line in some]
        case 4:
            some = [line[1:] for line in some]
        case 5:
            some = [b"\t" + line for line in some]
        case _:
            target = draw(st.integers(0, len(lines)))
            return b"\n".join([*lines[:target], *some, *lines[target:]])
    return b"\n".join([*lines[:start], *some, *lines[end:]])


def _truncate(draw, text):
    return text[: _spot(draw, text)]


def _garbage(draw, text):
    place = _spot(draw, text)
    garbage = draw(st.binary(max_size=4) | st.sampled_from(_SURPRISES))
    return text[:place] + garbage + text[place + draw(st.integers(0, 3)) :]


def _replace_all(draw, text):
    return draw(
        st.sampled_from([b"", b"\xff\xfe\x00a", b"\x00", b"[" * 3000, b"- " * 500, text * 3])
    )


def _number(draw, text):
    start, end = _found(draw, _NUMBER, text)
    return text[:start] + draw(st.sampled_from(_NUMBERS)) + text[end:]


def _value(draw, text):
    start, end = _found(draw, _VALUE, text)
    return text[:start] + draw(st.sampled_from(_SURPRISES)) + text[end:]


def _bomb(draw, text):
    return draw(st.sampled_from([text + _BOMB, _BOMB + b"---\n" + text]))


_ON_TEXT = (
    *(_mistype, _mistype, _mistype, _another_case, _lines, _lines, _lines, _truncate, _garbage),
    *(_garbage, _replace_all, _number, _number, _value, _value, _bomb),
)

# Mutations of documents


def _places(value):
    """List all places in a value, each as its container and key; what aliases share, once."""
    found, seen, todo = [], set(), [value]
    while todo:
        container = todo.pop(0)
        if isinstance(container, dict | list) and id(container) not in seen:
            seen.add(id(container))
            items = container.items() if isinstance(container, dict) else enumerate(container)
            found += [(container, key) for key, _ in items]
            todo += container.values() if isinstance(container, dict) else container
    return found


def _pick(draw, documents):
    return draw(st.sampled_from(_places(draw(st.sampled_from(documents))) or [({0: 0}, 0)]))


def _delete(draw, documents, team, configuration):
    container, key = _pick(draw, documents)
    del container[key]
    return documents


def _set(draw, documents, team, configuration):
    container, key = _pick(draw, documents)
    container[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
    return documents


def _copy_over(draw, documents, team, configuration):
    (source, name), (container, key) = _pick(draw, documents), _pick(draw, documents)
    container[key] = copy.deepcopy(source[name])
    return documents


def _rename_key(draw, documents, team, configuration):
    container, key = _pick(draw, documents)
    if isinstance(container, dict):
        container[f"{key}s"] = container.pop(key)
    return documents


def _permute(draw, documents, team, configuration):
    return draw(st.permutations(documents))


def _drop(draw, documents, team, configuration):
    del documents[draw(st.integers(0, len(documents) - 1))]
    return documents


def _repeat(draw, documents, team, configuration):
    return [*documents, copy.deepcopy(draw(st.sampled_from(documents)))]


def _relabel(draw, documents, team, configuration):
    document = draw(st.sampled_from(documents))
    document["metadata"] = draw(
        st.sampled_from(
            [
                {"name": "renamed", "namespace": team},
                {"name": "routes", "namespace": draw(st.sampled_from(configuration.teams))},
                {"name": "routes", "namespace": team, "labels": {"public": "yes", "nested": team}},
                {"name": "up0_alpha", "namespace": team},
                {"name": "app", "namespace": OPS, "creationTimestamp": "1970-01-01T00:00:00Z"},
            ]
        )
    )
    return documents


def _rekind(draw, documents, team, configuration):
    document = draw(st.sampled_from(documents))
    document["kind"] = draw(st.sampled_from(_KINDS))
    return documents


def _as_list(draw, documents, team, configuration):
    items = [*documents, draw(st.sampled_from([[], "x", {"kind": "List"}, {"kind": "RouteTable"}]))]
    return [{"apiVersion": "v1", "kind": "List", "items": draw(st.permutations(items))}]


def _delegate(draw, documents, team, configuration):
    """Delegate to oneself, to others, to what selects everything, or to nothing."""
    others = [name for name in configuration.teams if name != team]
    target = draw(
        st.sampled_from(
            [
                {"ref": {"name": "routes", "namespace": team}},
                {"ref": {"name": "routes", "namespace": others[0]}},
                {"ref": {"name": "nested0", "namespace": others[-1]}},
                {"ref": {"name": "nowhere", "namespace": others[0]}},
                {"selector": {"namespaces": ["*"]}},
                {"selector": {"labels": {"public": "yes"}, "namespaces": ["*"]}},
                {"selector": {"expressions": [{"key": "a", "operator": "In"}]}},
            ]
        )
    )
    prefix = draw(st.sampled_from([f"/{team}", "/", f"/{others[0]}", f"/{team}/nested/deep"]))
    route = {"matchers": [{"prefix": prefix}], "delegateAction": target}
    for document in documents:
        match document:
            case {"kind": "RouteTable", "spec": {"routes": list(routes)}}:
                routes.insert(draw(st.integers(0, len(routes))), copy.deepcopy(route))
            case {"kind": "VirtualService", "spec": {"virtualHost": {"routes": list(routes)}}}:
                routes.append(copy.deepcopy(route))
    return documents


def _foreign_paths(draw, documents, team, configuration):
    prefix = "/" + draw(st.sampled_from([*configuration.teams, "", f"{configuration.teams[0]}/a0"]))
    for container, key in _places(documents):
        if key in {"prefix", "exact", "regex"} and draw(st.booleans()):
            container[key] = prefix
    return documents


def _foreign_upstreams(draw, documents, team, configuration):
    other = draw(st.sampled_from([*configuration.teams, "nobody"]))
    for container, key in _places(documents):
        if key == "upstream":
            container[key] = {"name": "up0", "namespace": other}
    return documents


def _weigh(draw, documents, team, configuration):
    weight = draw(st.sampled_from([-(2**31), 2**31 - 1, 2**31, 0]))
    for document in documents:
        match document:
            case {"kind": "RouteTable", "spec": dict(spec)}:
                spec["weight"] = weight
    return documents


_ON_DOCUMENTS = (
    *(_delete, _delete, _set, _set, _set, _copy_over, _rename_key, _permute, _drop, _repeat),
    *(_relabel, _rekind, _as_list, _delegate, _delegate, _foreign_paths, _foreign_upstreams),
    *(_weigh,),
)

# Documents that speak of others


def _stolen_identity(draw, team, configuration):
    """Define again what somebody else has defined, as it is or otherwise."""
    _, document = draw(st.sampled_from(configuration.documents(but=team)))
    stolen = copy.deepcopy(document)
    match draw(st.integers(0, 3)):
        case 0:
            container, key = draw(st.sampled_from(_places(stolen)))
            container[key] = draw(st.sampled_from(_VALUES))
        case 1:
            stolen["spec"] = {}
        case 2:
            stolen["metadata"]["name"] += "-too"
        case _:
            if stolen["kind"] == "Upstream":
                stolen["spec"] = {"static": {"hosts": [{"addr": "6.6.6.6", "port": 666}]}}
    return [stolen]


def _stolen_domain(draw, team, configuration):
    domains = draw(
        st.sampled_from(
            [
                ["*"],
                ["app.example.com"],
                ["APP.example.COM", "App.Test"],
                ["*.example.com", "app.test:80"],
                ["api.example.net", "other.example.com", "*.com", "app.*"],
                [],
            ]
        )
    )
    routes = [{"matchers": [{"prefix": "/"}], "directResponseAction": {"status": 418}}]
    host = {"domains": domains, "routes": routes}
    namespace, name = draw(st.sampled_from([(team, "aaa"), (OPS, "aaa"), ("aaa", "aaa")]))
    document = resource("VirtualService", namespace, name, {"virtualHost": host})
    document["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z"
    return [document]


def _stolen_address(draw, team, configuration):
    spec = draw(
        st.sampled_from(
            [
                {"httpGateway": {}},
                {"httpGateway": {}, "bindAddress": "0.0.0.0", "bindPort": 8081},
                {"httpGateway": {}, "bindPort": 9999},
                {"httpGateway": {"virtualServices": [{"name": "aaa"}]}, "bindPort": 8080},
                {"httpGateway": {}, "proxyNames": ["gateway-proxy", "x"], "bindPort": 8081},
                {"bindPort": "8080"},
            ]
        )
    )
    namespace = draw(st.sampled_from([team, OPS, "aaa"]))
    document = resource("Gateway", namespace, "aaa", spec)
    document["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z"
    return [document]


def _settings(draw, team, configuration):
    policy = {"replaceInvalidRoutes": True, "invalidRouteResponseCode": 418}
    namespace = draw(st.sampled_from([team, OPS]))
    spec = {"gloo": {"invalidConfigPolicy": policy}}
    return [resource("Settings", namespace, "default", spec)]


def _false_endpoints(draw, team, configuration):
    """Claim endpoints, or the labels of endpoints, for the service of somebody else."""
    other = draw(st.sampled_from([name for name in configuration.teams if name != team]))
    number = draw(st.integers(0, 2))
    labels = {"kubernetes.io/service-name": f"svc{number}"}
    address = f"10.1.{configuration.teams.index(other) * 10 + number}.1"
    namespace = draw(st.sampled_from([team, other, "aaa"]))
    name = draw(st.sampled_from(["aaa", f"svc{number}-x0"]))
    match draw(st.integers(0, 2)):
        case 0:
            ports, ends = [{"name": "http", "port": 666}], [{"addresses": ["6.6.6.6"]}]
            return [
                resource("EndpointSlice", other, name, labels=labels, ports=ports, endpoints=ends)
            ]
        case 1:
            pod = {"version": "v2", "stolen": "yes"}
            return [resource("Pod", namespace, name, labels=pod, status={"podIP": address})]
        case _:
            subsets = [{"addresses": [{"ip": "6.6.6.6"}], "ports": [{"name": "http", "port": 666}]}]
            return [resource("Endpoints", other, f"svc{number}", subsets=subsets)]


def _colliding_names(draw, team, configuration):
    """Write upstreams whose clusters would be called like those of somebody else."""
    other = draw(st.sampled_from(configuration.teams))
    spec = {"static": {"hosts": [{"addr": "6.6.6.6", "port": 666}]}}
    name, namespace = draw(
        st.sampled_from(
            [("up0", f"{other}_x"), (f"up0_{other}", team), ("up0", other.upper()), ("Up0", other)]
        )
    )
    return [resource("Upstream", namespace, name, spec)]


def _sneaking_table(draw, team, configuration):
    """Put a table where the selectors of others may find it."""
    other = draw(st.sampled_from(configuration.teams))
    labels = {"public": "yes", "nested": other}
    path = draw(st.sampled_from([f"/{other}", f"/{other}/nested", "/", f"/{other}/nested/0/a0"]))
    routes = [{"matchers": [{"prefix": path}], "directResponseAction": {"status": 418}}]
    return [
        resource(
            "RouteTable", draw(st.sampled_from([team, other])), "aaa", {"routes": routes}, labels
        )
    ]


_HOSTILE = (
    *(_stolen_identity, _stolen_identity, _stolen_domain, _stolen_address, _settings),
    *(_false_endpoints, _false_endpoints, _colliding_names, _sneaking_table),
)

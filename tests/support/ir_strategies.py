"""Hypothesis strategies for the whole IR; proxies are consistent enough to be encoded."""

from __future__ import annotations

from hypothesis import strategies as st

from translator import ir

words = st.text("abcdeüß-.", min_size=1, max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
uint32 = st.integers(0, 2**32 - 1)
durations = st.integers(0, 10**13)
labels = st.dictionaries(words, texts, max_size=3).map(lambda it: tuple(sorted(it.items())))
codes = st.lists(st.sampled_from(["PEN301", "PEN302", "PEN404"]), max_size=2, unique=True).map(
    lambda it: tuple(sorted(it))
)


def several(items, most=3, **settings):
    return st.lists(items, max_size=most, **settings).map(tuple)


header_values = st.builds(ir.HeaderValue, name=words, value=texts, append=st.booleans())
header_edits = st.builds(
    ir.HeaderEdits,
    request_add=several(header_values),
    request_remove=several(words),
    response_add=several(header_values),
    response_remove=several(words),
)
destinations = st.builds(ir.Destination, cluster=words, subset=labels)
shares = st.builds(
    ir.WeightedDestination,
    destination=destinations,
    weight=uint32,
    headers=header_edits,
    faults=codes,
)
redirects = st.builds(
    ir.Redirect,
    host=st.none() | words,
    path=st.none() | words,
    prefix_rewrite=st.none() | texts,
    regex_rewrite=st.none() | st.tuples(words, texts),
    code=st.sampled_from([301, 302, 303, 307, 308]),
    https=st.booleans(),
    strip_query=st.booleans(),
    port=st.none() | st.integers(1, 65535),
)
actions = st.one_of(
    st.builds(ir.Forward, destination=destinations),
    st.builds(ir.Split, members=several(shares)),
    redirects,
    st.builds(ir.DirectResponse, status=st.integers(200, 599), body=texts),
)
path_matches = st.builds(
    ir.PathMatch, kind=st.sampled_from(ir.PathKind), value=words, case_sensitive=st.booleans()
)
header_matches = st.builds(
    ir.HeaderMatch,
    name=words,
    kind=st.sampled_from(ir.ValueKind),
    value=texts,
    invert=st.booleans(),
)
query_matches = st.builds(
    ir.QueryMatch, name=words, kind=st.sampled_from(ir.ValueKind), value=texts
)
matches = st.builds(
    ir.Match,
    path=path_matches,
    headers=several(header_matches),
    query=several(query_matches),
    methods=several(st.sampled_from(["GET", "POST"])),
    share=st.integers(1, 1_000_000),
)
retry_policies = st.builds(
    ir.RetryPolicy,
    retry_on=words,
    num_retries=uint32,
    per_try_timeout=st.none() | durations,
)
options = st.builds(
    ir.Options,
    prefix_rewrite=st.none() | texts,
    host_rewrite=st.none() | words,
    timeout=st.none() | durations,
    retries=st.none() | retry_policies,
    headers=header_edits,
)
sources = st.builds(
    ir.Source,
    kind=st.sampled_from(["RouteTable", "VirtualService"]),
    namespace=st.sampled_from(["echo", "foxtrot"]),
    name=st.sampled_from(["routes", "more"]),
    route=st.sampled_from(["", "#0", "#1", "canary"]),
)
routes = st.builds(
    ir.Route,
    name=words,
    identity=words,
    match=matches,
    action=st.none() | actions,
    options=options,
    source=sources,
    faults=codes,
    replaceable=st.booleans(),
)
virtual_hosts = st.builds(
    ir.VirtualHost,
    name=words,
    domains=several(words),
    routes=several(routes, most=4),
    source=sources,
)
route_configurations = st.builds(
    ir.RouteConfiguration,
    name=words,
    virtual_hosts=several(virtual_hosts, unique_by=lambda host: host.name),
)
endpoints = st.builds(
    ir.Endpoint,
    address=words,
    port=st.integers(1, 65535),
    labels=labels,
    weight=st.none() | st.integers(1, 2**32 - 1),
)
discoveries = st.one_of(
    st.builds(ir.EndpointDiscovery),
    st.builds(ir.StaticHosts, endpoints=several(endpoints)),
    st.builds(ir.DnsHosts, endpoints=several(endpoints)),
    st.builds(ir.Pipe, path=words),
)
subsets = st.builds(
    ir.Subsets,
    selectors=several(
        st.builds(ir.SubsetSelector, keys=several(words), single_host_per_subset=st.booleans())
    ),
    fallback=st.sampled_from(ir.FallbackPolicy),
    default=labels,
)
clusters = st.builds(
    ir.Cluster,
    name=words,
    discovery=discoveries,
    subsets=st.none() | subsets,
    connect_timeout=durations,
    source=sources,
)
load_assignments = st.builds(ir.LoadAssignment, cluster=words, endpoints=several(endpoints))
listeners = st.builds(
    ir.Listener,
    name=words,
    address=st.sampled_from(["0.0.0.0", "::"]),
    port=st.integers(1, 65535),
    routes=words,
    source=st.none() | sources,
)


def by_name(items, key="name"):
    """Make a tuple as a proxy has them: distinct, and sorted."""
    return several(items, unique_by=lambda it: getattr(it, key)).map(
        lambda it: tuple(sorted(it, key=lambda each: getattr(each, key)))
    )


proxies = st.builds(
    ir.Proxy,
    name=words,
    listeners=by_name(listeners),
    route_configurations=by_name(route_configurations),
    clusters=by_name(clusters),
    load_assignments=by_name(load_assignments, "cluster"),
)

# What a policy would hand on: every route is valid, and leads to a cluster that exists.

KEYS = ("stage", "version")
VALUES = ("", "v1", "v2", "v?&3")
NAMES = ("cart", "stock", "orders")

known_labels = st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from(VALUES), min_size=1, max_size=2
).map(lambda it: tuple(sorted(it.items())))
reachable = st.builds(
    ir.Endpoint,
    address=st.sampled_from(["127.0.0.1", "127.0.0.2", "::1"]),
    port=st.integers(1, 3),
    labels=known_labels,
    weight=st.none() | st.sampled_from([1, 2, 2**32 - 1]),
)
known_discoveries = st.one_of(
    st.builds(ir.EndpointDiscovery),
    st.builds(ir.StaticHosts, endpoints=several(reachable, most=6, min_size=1)),
    st.builds(ir.DnsHosts, endpoints=several(reachable, min_size=1)),
    st.builds(ir.Pipe, path=words),
)
known_subsets = st.builds(
    ir.Subsets,
    selectors=several(
        st.builds(
            ir.SubsetSelector,
            keys=st.sampled_from([("stage",), ("version",), KEYS]),
            single_host_per_subset=st.booleans(),
        ),
        unique_by=lambda selector: selector.keys,
        min_size=1,
    ),
    fallback=st.sampled_from(ir.FallbackPolicy),
    default=known_labels,
)
known_destinations = st.builds(
    ir.Destination, cluster=st.sampled_from(NAMES), subset=st.just(()) | known_labels
)
known_actions = st.one_of(
    st.builds(ir.Forward, destination=known_destinations),
    st.builds(
        ir.Split,
        members=several(
            st.builds(
                ir.WeightedDestination,
                destination=known_destinations,
                weight=st.sampled_from([0, 1, 50, 2**30]),
                headers=header_edits,
            ),
            min_size=1,
        ).filter(lambda members: any(member.weight for member in members)),
    ),
    redirects,
    st.builds(ir.DirectResponse, status=st.integers(200, 599), body=texts),
)
known_routes = st.builds(
    ir.Route,
    name=words,
    identity=words,
    match=st.builds(
        ir.Match,
        path=st.builds(
            ir.PathMatch,
            kind=st.sampled_from(ir.PathKind),
            value=st.sampled_from(["/", "/demo.Echo/", "/demo.Echo/Say", "/a/b/c", "//", "/x"]),
            case_sensitive=st.booleans(),
        ),
        headers=several(
            header_matches
            | st.just(ir.HeaderMatch(name=":method", kind=ir.ValueKind.EXACT, value="POST"))
        ),
        query=several(query_matches, most=1),
        methods=several(st.sampled_from(["GET", "POST"])),
        share=st.integers(1, 1_000_000),
    ),
    action=known_actions,
    options=options,
    source=sources,
)


def known_hosts(name, domains):
    return st.builds(
        ir.VirtualHost,
        name=st.just(name),
        domains=several(st.sampled_from(domains), min_size=1, unique=True),
        routes=several(known_routes, most=4),
        source=sources,
    )


served_proxies = st.builds(
    lambda hosts, kinds, subsets, assigned: ir.Proxy(
        name="gateway-proxy",
        listeners=(ir.Listener(name="l", address="::", port=8080, routes="l-routes", source=None),),
        route_configurations=(ir.RouteConfiguration(name="l-routes", virtual_hosts=hosts),),
        clusters=tuple(
            ir.Cluster(
                name=name,
                discovery=kind,
                subsets=subset,
                source=ir.Source(kind="Upstream", namespace="ns", name=name),
            )
            for name, kind, subset in zip(NAMES, kinds, subsets, strict=True)
        ),
        load_assignments=tuple(
            ir.LoadAssignment(cluster=name, endpoints=endpoints)
            for name, kind, endpoints in zip(NAMES, kinds, assigned, strict=True)
            if isinstance(kind, ir.EndpointDiscovery)
        ),
    ),
    st.tuples(
        known_hosts("shop", ["a.test", "b.test:80", "*.test"]),
        known_hosts("more", ["*", "[::1]", "b.test"]),
    ),
    st.tuples(*[known_discoveries] * len(NAMES)),
    st.tuples(*[st.none() | known_subsets] * len(NAMES)),
    st.tuples(*[several(reachable, most=6)] * len(NAMES)),
)
"""Proxies as they are served: consistent, with valid routes and addresses."""

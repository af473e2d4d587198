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

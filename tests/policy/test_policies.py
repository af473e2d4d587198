"""What is served in the place of what is invalid."""

from __future__ import annotations

import pytest
from story import (
    APP,
    HOLD,
    KEEP,
    REPLACE,
    SELECTING,
    Story,
    kube,
    route,
    settings,
    split,
    table,
    upstream,
)

POLICIES = {"hold": HOLD, "replace": REPLACE, "keep": KEEP}
GATEWAY = """\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: public, namespace: gloo-system}
spec: {bindAddress: 127.0.0.1, bindPort: 8080, httpGateway: {}}
"""
CANARY, PLAIN, FOXTROT = "/echo with header stage: canary", "/echo", "/foxtrot"
TYPO = table("echo", route("/echo", "echo-typo", header="canary"), route("/echo", "echo"))
MOVED = table("foxtrot", route("/foxtrot", "foxtrot", subset="v2"))
ALL_GOOD = [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold", ALL_GOOD),
        ("replace", [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")]),
        ("keep", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")]),
    ],
)
def test_one_team_breaks_while_the_other_moves(policy, expected):
    """Hold stops everybody, replace answers 404 in place, keep leaves the last good route."""
    story = Story(POLICIES[policy])

    story.edit(echo__routes=TYPO).edit(foxtrot__routes=MOVED)

    assert expected == story.routes
    assert ["PEN301"] == [found.code for found in story.now.diagnostics]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_fix_catches_up(policy):
    """When the mistake is gone, everything is served as written, whatever the policy was."""
    story = Story(POLICIES[policy])

    story.edit(echo__routes=TYPO).edit(foxtrot__routes=MOVED)
    story.edit(echo__routes=table("echo", route("/echo", "echo", subset="v2")))

    assert [(PLAIN, "echo v2"), (FOXTROT, "foxtrot v2")] == story.routes
    assert not story.served.held


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_last_good(policy):
    """A first start with a mistake serves what is valid and replaces the rest."""
    story = Story(POLICIES[policy], echo__routes=TYPO)

    story.edit(foxtrot__routes=MOVED)

    assert [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")] == story.routes
    assert not story.served.held


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold", ALL_GOOD),
        ("replace", [(CANARY, "404"), (PLAIN, "404"), (FOXTROT, "foxtrot v2")]),
        ("keep", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")]),
    ],
)
@pytest.mark.parametrize("app", [APP, SELECTING], ids=["by ref", "by selector"])
@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\xfa",
        "apiVersion: [",
        "kind: RouteTable\n\tnothing",
        table("echo") + "  weight: x",
        table("echo").replace("kind", "knd"),
        table("echo").replace("apiVersion", "apiVersoin"),
        table("echo").replace("{name: routes", "{nmae: routes"),
        table("echo").replace("\n", "\n- ", 1),
        table("echo").replace("apiVersion", "- apiVersion").replace("\n", "\n  "),
    ],
    ids=["encoding", "syntax", "tab", "field", "kind", "version", "name", "dash", "list"],
)
def test_an_unreadable_table_is_invalid_and_not_deleted(policy, expected, app, text):
    """A file that no longer parses makes its own routes invalid, and no other's."""
    story = Story(POLICIES[policy], gateway__app=app)

    story.edit(echo__routes=text).edit(foxtrot__routes=MOVED)

    assert sorted(expected) == sorted(story.routes)
    assert {"echo/routes.yaml"} == {found.position.path for found in story.now.diagnostics}


@pytest.mark.parametrize("policy", POLICIES)
def test_deleted_is_not_invalid(policy):
    """What its author removes disappears, under each policy."""
    story = Story(POLICIES[policy], gateway__app=SELECTING)

    story.edit(echo__routes=None)

    assert [(FOXTROT, "foxtrot v1")] == story.routes
    assert not story.served.held


@pytest.mark.parametrize("policy", ["replace", "keep"])
def test_an_invalid_upstream_breaks_the_routes_that_use_it(policy):
    """A broken upstream is one finding, and costs the routes that lead to it and no others."""
    story = Story(POLICIES[policy])

    story.edit(gateway__echo=upstream("echo").replace("port: 80", "prot: 80"))

    kept = {"replace": ["404", "404"], "keep": ["echo v2", "echo v1"]}[policy]
    assert [*zip([CANARY, PLAIN], kept, strict=True), (FOXTROT, "foxtrot v1")] == story.routes
    clusters = [cluster.name for cluster in story.proxy.clusters]
    assert ("echo_gloo-system" in clusters) == (policy == "keep")


@pytest.mark.parametrize("policy", ["hold", "keep"])
def test_a_needed_cluster_outlives_its_upstream(policy):
    """A held or kept route keeps its cluster, and the endpoints go on following their source."""
    backend, service = kube("echo", 1, 2)
    plain = "{matchers: [{prefix: /echo}], routeAction: {single: {upstream: %s}}}"
    there = plain % "{name: echo, namespace: gloo-system}"
    story = Story(
        POLICIES[policy],
        gateway__echo=backend,
        echo__service=service,
        echo__routes=table("echo", there),
    )

    story.edit(gateway__echo=None)
    story.edit(echo__service=kube("echo", 2, 3)[1])

    assert [(PLAIN, "echo"), (FOXTROT, "foxtrot v1")] == story.routes
    (assignment,) = story.proxy.load_assignments
    assert ["10.0.1.2", "10.0.1.3"] == [endpoint.address for endpoint in assignment.endpoints]

    story.edit(echo__routes=table("echo"))

    assert ["foxtrot_gloo-system"] == [cluster.name for cluster in story.proxy.clusters]


def test_hold_lets_clusters_and_endpoints_flow():
    """While routes are held, new clusters come and endpoints change."""
    story = Story(HOLD)

    story.edit(echo__routes=TYPO)
    story.edit(gateway__new=upstream("new"), gateway__foxtrot=upstream("foxtrot", 7))

    assert ALL_GOOD == story.routes
    clusters = {cluster.name: cluster for cluster in story.proxy.clusters}
    assert {"echo_gloo-system", "foxtrot_gloo-system", "new_gloo-system"} == set(clusters)
    (endpoint,) = clusters["foxtrot_gloo-system"].discovery.endpoints
    assert endpoint.address == "10.0.0.7"


def test_the_policy_changes_while_running():
    """A change of the settings takes effect at once, in both directions."""
    story = Story(HOLD)
    story.edit(echo__routes=TYPO).edit(foxtrot__routes=MOVED)

    story.edit(gateway__settings=REPLACE)

    assert [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")] == story.routes

    story.edit(gateway__settings=HOLD)

    assert [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")] == story.routes
    assert story.served.held

    story.edit(gateway__settings=KEEP)

    assert [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")] == story.routes


def test_a_split_loses_its_invalid_share_only():
    """The share of an invalid member gets the error; the others keep their weights."""
    story = Story(REPLACE)

    story.edit(foxtrot__routes=table("foxtrot", split("/foxtrot", ("gone", 10), ("foxtrot", 90))))

    assert [(FOXTROT, "404 for 100000"), (FOXTROT, "foxtrot=90")] == story.routes[2:]
    assert ["10 % of the requests to /foxtrot get 404; all other routes keep serving"] == (
        story.effects
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("gone", 0), ("foxtrot", 5)], [(FOXTROT, "foxtrot=5")]),
        ([("gone", 1), ("foxtrot", 0)], [(FOXTROT, "404")]),
        ([("gone", 1), ("nope", 2)], [(FOXTROT, "404")]),
        (
            [("gone", 1), ("foxtrot", 4_000_000_000)],
            [(FOXTROT, "404 for 1"), (FOXTROT, "foxtrot=4000000000")],
        ),
        (
            [("foxtrot", 1), ("gone", 4_000_000_000)],
            [(FOXTROT, "404 for 999999"), (FOXTROT, "foxtrot=1")],
        ),
    ],
)
def test_extreme_shares(members, expected):
    """A share of nothing is nothing, and the smallest share is not lost to rounding."""
    story = Story(REPLACE)

    story.edit(foxtrot__routes=table("foxtrot", split("/foxtrot", *members)))

    assert expected == story.routes[2:]


def test_keep_recognises_a_route_by_its_name():
    """A named route whose matcher changes together with a mistake keeps its last good version."""
    story = Story(KEEP, echo__routes=table("echo", route("/echo/a", "echo", name="a")))

    story.edit(echo__routes=table("echo", route("/echo/b", "gone", name="a")))

    assert [("/echo/a", "echo v1"), (FOXTROT, "foxtrot v1")] == story.routes


def test_keep_recognises_a_route_by_its_matcher():
    """A route without a name is the one that matches the same; it keeps its new place."""
    first, second = route("/echo/a", "echo"), route("/echo/b", "echo", subset="v2")
    story = Story(KEEP, echo__routes=table("echo", first, second))

    story.edit(echo__routes=table("echo", route("/echo/b", "gone"), first))

    assert [("/echo/b", "echo v2"), ("/echo/a", "echo v1")] == story.routes[:2]


def test_keep_forgets_what_its_author_removes():
    """A kept route goes away with the route, and does not come back from the dead."""
    story = Story(KEEP)
    story.edit(echo__routes=TYPO)

    story.edit(echo__routes=table("echo", route("/echo", "echo")))
    story.edit(echo__routes=TYPO)

    assert [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")] == story.routes


def test_keep_of_what_was_never_good():
    """A new route with a mistake has no last good version, and is replaced."""
    story = Story(KEEP)

    story.edit(foxtrot__routes=table("foxtrot", route("/foxtrot/new", "gone")))

    assert ("/foxtrot/new", "404") == story.routes[2]


def test_code_and_body_as_configured():
    """A replaced route answers what the settings say."""
    story = Story(
        settings(
            replaceInvalidRoutes="true",
            invalidRouteResponseCode=503,
            invalidRouteResponseBody="come back later",
        )
    )

    story.edit(echo__routes=TYPO)

    answer = story.proxy.route_configurations[0].virtual_hosts[0].routes[0].action
    assert (503, "come back later") == (answer.status, answer.body)


@pytest.mark.parametrize("code", [0, 199, 600, 99999])
def test_a_bad_code_is_a_finding(code):
    """A status that Envoy refuses is reported on the settings, and the default is used."""
    story = Story(settings(replaceInvalidRoutes="true", invalidRouteResponseCode=code))

    story.edit(echo__routes=TYPO)

    assert (CANARY, "404") == story.routes[0]
    assert ["PEN301", "PEN414"] == [found.code for found in story.now.diagnostics]


def test_settings_of_a_team_change_nothing():
    """There is one Settings resource; a team's own is a warning."""
    theirs = KEEP.replace("namespace: gloo-system", "namespace: echo")
    story = Story(REPLACE, echo__settings=theirs)

    story.edit(echo__routes=TYPO)

    assert (CANARY, "404") == story.routes[0]
    assert ["PEN301", "PEN318"] == [found.code for found in story.now.diagnostics]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "app",
    ["spec: [", APP.replace("kind", "knd", 1), APP.replace("namespace", "namespce", 1)],
    ids=["syntax", "kind", "namespace"],
)
def test_broken_shared_files_change_nothing(policy, app):
    """A domain or settings file that no longer parses stays in force as it was."""
    story = Story(POLICIES[policy])
    before = story.proxy

    story.edit(gateway__app=app).edit(gateway__settings="spec: [")

    assert before == story.proxy
    assert len(story.now.diagnostics) == 2


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "theft",
    [
        {"aaa__app": APP.replace("gloo-system}", "aaa}", 1)},
        {"aaa__table": table("foxtrot", route("/foxtrot", "echo"))},
        {"aaa__up": upstream("foxtrot", 9)},
    ],
    ids=["domain", "table", "upstream"],
)
def test_who_has_it_keeps_it(policy, theft):
    """A newcomer cannot take a domain, a table's or an upstream's name from who has it."""
    story = Story(POLICIES[policy])
    before = story.proxy

    story.edit(**theft)

    assert before == story.proxy
    assert [next(iter(theft)).replace("__", "/") + ".yaml"] == [
        found.position.path for found in story.now.diagnostics
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_who_opened_an_address_keeps_it(policy):
    """A gateway that serves another proxy already, and is older, takes no address away."""
    gateway = "apiVersion: gateway.solo.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: %s}\n"
    story = Story(POLICIES[policy], gateway__g=gateway % "ops" + "spec: {httpGateway: {}}\n")
    before = story.proxy
    theft = gateway.replace("}", ", creationTimestamp: '1970-01-01T00:00:00Z'}") % "echo"

    story.edit(echo__g=theft + "spec: {httpGateway: {}, proxyNames: [gateway-proxy, x]}\n")
    story.edit(echo__other=upstream("other"))

    assert before.listeners == story.now.served["gateway-proxy"].proxy.listeners
    assert ["echo/g.yaml"] == [found.position.path for found in story.now.diagnostics]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_broken_gateway_closes_nobody_elses_listener(policy):
    """The listener that exists without any gateway stays while the first gateway is invalid."""
    story = Story(POLICIES[policy])
    before = story.proxy

    story.edit(echo__gateway="apiVersion: gateway.solo.io/v1\nkind: Gateway\nmetadata: {name: g}\n")

    assert before == story.proxy
    assert ["echo/gateway.yaml:1:1 PEN204"] == story.findings


@pytest.mark.parametrize("policy", POLICIES)
def test_a_mistake_beside_is_not_counted(policy):
    """Those who suffer from a broken upstream have no finding; they are affected by it."""
    story = Story(POLICIES[policy])

    story.edit(gateway__foxtrot=upstream("foxtrot").replace("port: 80", "port: '80'"))

    assert {"gateway/foxtrot.yaml"} == {found.position.path for found in story.now.diagnostics}
    (affected,) = story.now.affected
    assert ("RouteTable foxtrot/routes", "Upstream gloo-system/foxtrot") == (
        str(affected.resource),
        str(affected.cause),
    )


def test_keep_does_not_guess():
    """A route whose matcher cannot be read is not taken for the one that matches everything."""
    rest = route("/echo", "echo")
    bare = rest.replace("matchers: [{prefix: /echo}], ", "inheritablePathMatchers: true, ")
    story = Story(KEEP, echo__routes=table("echo", route("/echo/a", "echo", subset="v2"), bare))

    story.edit(
        echo__routes=table("echo", route("/echo/a", "echo").replace("prefix", "prefx"), bare)
    )

    assert [("/echo", "echo v1"), (FOXTROT, "foxtrot v1")] == story.routes


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "edit",
    [
        {"gateway__public": GATEWAY.replace("127.0.0.1", "nowhere")},
        {"gateway__public": GATEWAY.replace(", httpGateway: {}", "")},
        {"gateway__app": APP.partition("spec:")[0] + "spec: {}\n"},
        {"gateway__app": APP.replace("virtualHost:", "virtualHost:\n    domains: ['a*b']")},
    ],
    ids=["address", "nothing to serve", "no virtual host", "no valid domain"],
)
def test_what_is_invalid_only_as_a_whole_stays_as_it_was(policy, edit):
    """A gateway or virtual service that can serve nothing any more is invalid, not gone."""
    story = Story(POLICIES[policy], gateway__public=GATEWAY)
    before = story.proxy

    story.edit(**edit).edit(foxtrot__service=kube("unused", 1)[1])

    assert before.listeners == story.proxy.listeners
    assert before.route_configurations == story.proxy.route_configurations
    assert {next(iter(edit)).replace("__", "/") + ".yaml"} == {
        found.position.path for found in story.now.diagnostics
    }

    story.edit(gateway__public=GATEWAY, gateway__app=APP)

    assert before == story.proxy
    assert not story.now.diagnostics

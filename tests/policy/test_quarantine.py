"""What is served in the place of what Envoy refuses although it is valid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from story import HOLD, KEEP, REPLACE, Story, kube, route, table, upstream

from translator import ir
from translator.ir.digest import digest, digest_routes
from translator.pipeline import Inputs, translate
from translator.policy import Proven, Refusal, Subject, suspects
from translator.report import ResourceRef

POLICIES = {"hold": HOLD, "replace": REPLACE, "keep": KEEP}
CANARY, PLAIN, FOXTROT = "/echo with header stage: canary", "/echo", "/foxtrot"
MOVED = table("foxtrot", route("/foxtrot", "foxtrot", subset="v2"))
ODD = table("echo", route("/echo", "echo", header="canary"), route("/echo", "echo"))
UPSTREAM = ResourceRef("Upstream", "gloo-system", "echo")


class Refusing(Story):
    """A folder over time, and an Envoy that accepts and refuses."""

    refusals = ()

    def translate(self):
        texts = {origin: text.encode() for origin, text in self.files.items()}
        self.now = translate(Inputs(files=texts, refusals=self.refusals), self.now)

    def accept(self):
        """Let Envoy accept everything that is served."""
        memory = self.now.memory
        proven = {
            name: Proven(proxy=proxy, resources=memory.resources)
            for name, proxy in memory.proxies.items()
        }
        self.now = replace(self.now, memory=replace(memory, proven=proven))
        return self

    def refuse(self, subject, owner, value):
        refusal = Refusal(
            subject=subject, owner=owner, content=value, text="no such thing", by="envoy 1.40.0"
        )
        self.refusals += (refusal,)
        self.translate()
        return self

    def refuse_route(self, match):
        routes = [
            r for c in self.proxy.route_configurations for h in c.virtual_hosts for r in h.routes
        ]
        (guilty,) = [r for r in routes if str(r.match) == match]
        owner = ResourceRef(guilty.source.kind, guilty.source.namespace, guilty.source.name)
        return self.refuse(Subject.ROUTE, owner, digest_routes((guilty,)))

    def refuse_cluster(self, name):
        (cluster,) = [c for c in self.proxy.clusters if c.name == name]
        owner = ResourceRef("Upstream", cluster.source.namespace, cluster.source.name)
        return self.refuse(Subject.RESOURCE, owner, digest(cluster))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")]),
        ("replace", [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")]),
        ("keep", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v2")]),
    ],
)
def test_a_refused_route_is_treated_as_the_policy_says(policy, expected):
    """What an Envoy accepted last is the last good, not what was only valid."""
    story = Refusing(POLICIES[policy]).accept()

    story.edit(echo__routes=ODD).edit(foxtrot__routes=MOVED).refuse_route(CANARY)

    assert expected == story.routes
    (finding,) = story.now.diagnostics
    assert "echo/routes.yaml:6:7 PEN501" == f"{finding.position} {finding.code}"
    assert "envoy 1.40.0 refuses this route: no such thing" == finding.message
    assert story.served.held == (policy == "hold")
    assert CANARY in finding.effect or "held" in finding.effect


@pytest.mark.parametrize("policy", POLICIES)
def test_a_refusal_ends_with_the_authors_edit_and_comes_back_with_its_undoing(policy):
    """An edit ends the quarantine, which is of the content, and undoing it brings it back."""
    story = Refusing(POLICIES[policy]).accept()
    story.edit(echo__routes=ODD).refuse_route(CANARY)

    story.edit(echo__routes=table("echo", route("/echo", "echo", header="canary", subset="v3")))

    assert [(CANARY, "echo v3"), (FOXTROT, "foxtrot v1")] == story.routes
    assert "PEN501" not in " ".join(story.findings)

    story.accept().edit(echo__routes=ODD)

    assert ["PEN501"] == [found.code for found in story.now.diagnostics]
    assert (CANARY, "echo v1") not in story.routes


@pytest.mark.parametrize("policy", POLICIES)
def test_a_comment_or_a_route_above_does_not_end_it(policy):
    """A route that only moves is the same content."""
    story = Refusing(POLICIES[policy]).accept()
    story.edit(echo__routes=ODD).refuse_route(CANARY)

    story.edit(
        echo__routes="# why\n"
        + table(
            "echo",
            route("/echo/new", "echo"),
            route("/echo", "echo", header="canary"),
            route("/echo", "echo"),
        )
    )

    (finding,) = story.now.diagnostics
    assert (8, "PEN501") == (finding.position.line, finding.code)


@pytest.mark.parametrize("policy", POLICIES)
def test_without_anything_accepted_it_is_replaced(policy):
    """A first start that is refused serves what is not refused, whatever the policy."""
    story = Refusing(POLICIES[policy])

    story.refuse_route(CANARY)

    assert [(CANARY, "404"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")] == story.routes


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")]),
        ("replace", [(CANARY, "404"), (PLAIN, "404"), (FOXTROT, "foxtrot v1")]),
        ("keep", [(CANARY, "echo v2"), (PLAIN, "echo v1"), (FOXTROT, "foxtrot v1")]),
    ],
)
def test_a_refused_cluster_makes_its_upstream_invalid(policy, expected):
    """Routes that are held or kept lead to the cluster that was accepted last."""
    story = Refusing(POLICIES[policy]).accept()
    accepted = next(c for c in story.proxy.clusters if c.name == "echo_gloo-system")

    story.edit(gateway__echo=upstream("echo", 1, 2, 3)).refuse_cluster("echo_gloo-system")

    assert expected == story.routes
    clusters = {cluster.name: cluster for cluster in story.proxy.clusters}
    assert clusters.get("echo_gloo-system") == (None if policy == "replace" else accepted)
    (finding,) = [found for found in story.now.diagnostics if found.code == "PEN501"]
    assert "gateway/echo.yaml" == finding.position.path
    assert UPSTREAM == finding.resource
    assert {UPSTREAM} == {affected.cause for affected in story.now.affected}


def test_a_new_upstream_that_is_refused_costs_its_own_routes_only():
    """Without an accepted cluster there is nothing to lead to."""
    story = Refusing(KEEP).accept()
    story.edit(
        gateway__extra=upstream("extra"), echo__routes=table("echo", route("/echo/x", "extra"))
    )

    story.refuse_cluster("extra_gloo-system")

    assert [("/echo/x", "404"), (FOXTROT, "foxtrot v1")] == story.routes
    assert "extra_gloo-system" not in {cluster.name for cluster in story.proxy.clusters}


def test_refused_endpoints_make_no_route_invalid():
    """An upstream whose endpoints are refused goes on with those that it had."""
    upstream_, endpoints = kube("echo", 1, 2)
    plain = route("/echo", "echo").partition(", subset")[0] + "}}}"
    story = Refusing(
        KEEP,
        gateway__echo=upstream_,
        services__echo=endpoints,
        echo__routes=table("echo", plain),
    ).accept()
    (assignment,) = story.proxy.load_assignments

    story.refuse(Subject.ENDPOINTS, UPSTREAM, digest(assignment))

    (finding,) = [found for found in story.now.diagnostics if found.code == "PEN501"]
    assert "it goes on with the endpoints that it had" == finding.effect
    assert not story.served.outcomes


def test_the_digest_of_routes_is_about_what_they_do():
    """Names and places do not count, everything else does."""
    story = Refusing()
    one, two, *_ = [
        r for c in story.proxy.route_configurations for h in c.virtual_hosts for r in h.routes
    ]
    renamed = replace(one, name="x", identity="y", source=replace(one.source, route="z"))

    assert digest_routes((one,)) == digest_routes((renamed,))
    assert digest_routes((one,)) != digest_routes((two,))
    assert digest_routes((one,)) != digest_routes((one, one))
    assert digest_routes((one,)) != digest_routes((replace(one, options=ir.Options(timeout=1)),))


@pytest.mark.parametrize(
    "routes",
    [
        (route("/echo/more", "echo"), route("/echo", "echo")),
        (route("/echo", "echo", name="named"), route("/echo/more", "echo")),
        (route("/echo/more", "echo"), route("/echo", "echo"), route("/echo", "echo")),
    ],
    ids=["moved", "named", "twice"],
)
def test_a_route_that_says_what_was_accepted_is_no_suspect(routes):
    """What Envoy has accepted is not in doubt under another name, or in another place."""
    story = Refusing(REPLACE).edit(echo__routes=table("echo", route("/echo", "echo")))
    (accepted,) = story.proxy.route_configurations
    (now,) = story.edit(echo__routes=table("echo", *routes)).proxy.route_configurations

    found = suspects(now, accepted)

    assert ["/echo/more"] == [str(each.match) for suspect in found for each in suspect.routes]

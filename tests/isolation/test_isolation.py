"""
Whatever one team does to its files, all others are served as before.

The teams, the ops team that owns the domains, and what is done to the files are made up anew for
each case. What is compared are the bytes that Envoys get.
"""

from __future__ import annotations

from dataclasses import replace

import yaml
from hypothesis import given, note, settings
from hypothesis import strategies as st
from mutations import mutate
from served import belongings, everything, faults
from teams import configurations

from translator.pipeline import Inputs, translate
from translator.policy import WHOLE_KINDS, Proven, Quarantine, suspect, suspects
from translator.report import ResourceRef, Severity

PROFILE = settings.get_profile("isolation")


@PROFILE
@given(data=st.data())
def test_isolation(data):
    """
    No edit of one team's files changes what others are served.

    The routes that come of all other documents are the same bytes in the same order, at the same
    domains; so are their clusters, endpoints and listeners, under each policy. Between these routes
    there may be some of the guilty team: where the ops team chooses tables by label, Gloo's order
    sorts the routes of all of them together, and whose prefix is longest is asked first. Where it
    delegates by name, a team stays below the prefix that it was given.

    Under hold, a proxy with an invalid route keeps its routes and listeners as a whole. And always:
    nothing raises, what Envoys get fits together, and the same happens again.
    """
    configuration = data.draw(configurations())
    team = data.draw(st.sampled_from(configuration.teams))
    others = authors(configuration, team)
    before = translate(Inputs(files=configuration.files))
    assert before.count(Severity.ERROR) == 0
    ordered = not configuration.lone(but=team)
    mine, theirs = configuration.of(team), belongings(before, others)
    rest = {o: text for o, text in configuration.files.items() if o not in mine}
    now = before
    for _ in range(data.draw(st.integers(1, 3))):
        for _ in range(data.draw(st.integers(1, 3))):
            mine = mutate(data.draw, mine, team, configuration)
        note(changes(configuration.of(team), mine))
        inputs = Inputs(files=rest | mine)
        last, now = now, translate(inputs, now)

        assert everything(now) == everything(translate(inputs, last))
        assert [] == losses(theirs, belongings(now, others), ordered=ordered)
        assert [] == faults(now)
        assert [] == strays(now, configuration, team)
        check_hold(last, now)

    repaired = translate(Inputs(files=configuration.files), now)

    assert before.proxies == repaired.proxies
    assert before.diagnostics == repaired.diagnostics


@PROFILE
@given(data=st.data())
def test_isolation_of_what_envoy_refuses(data):
    """
    What Envoy refuses of one team's changes costs nobody else anything, and is not served again.

    It may refuse any of the routes, virtual hosts, clusters and listeners that the team changed.
    The last good versions are those that it accepted, not those that were only valid.
    """
    configuration = data.draw(configurations())
    team = data.draw(st.sampled_from(configuration.teams))
    others = authors(configuration, team)
    before = accepted(translate(Inputs(files=configuration.files)))
    mine, theirs = configuration.of(team), belongings(before, others)
    rest = {o: text for o, text in configuration.files.items() if o not in mine}
    for _ in range(data.draw(st.integers(1, 3))):
        mine = mutate(data.draw, mine, team, configuration)
    note(changes(configuration.of(team), mine))
    edited = translate(Inputs(files=rest | mine), before)
    refused = data.draw(st.lists(st.sampled_from(differences(edited, before, others) or [None])))
    refusals = tuple(sorted({each.refusal("no", "envoy") for each in refused if each}))
    inputs = Inputs(files=rest | mine, refusals=refusals)
    now = translate(inputs, edited)

    assert everything(now) == everything(translate(inputs, now))
    ordered = not configuration.lone(but=team)
    assert [] == losses(theirs, belongings(now, others), ordered=ordered)
    assert [] == faults(now)
    quarantine = Quarantine(refusals)
    for proxy in now.proxies:
        assert () == quarantine.mark(proxy)[1]
        assert [] == list(quarantine.find(proxy))

    repaired = translate(Inputs(files=configuration.files, refusals=refusals), now)

    assert before.proxies == repaired.proxies


def accepted(translation):
    """Let Envoy accept everything that is served."""
    memory = translation.memory
    resources = {ref: good for ref, good in memory.resources.items() if ref.kind in WHOLE_KINDS}
    proven = {
        name: Proven(proxy=proxy, resources=resources) for name, proxy in memory.proxies.items()
    }
    return replace(translation, memory=replace(memory, proven=proven))


def differences(now, before, others):
    """List what Envoy may refuse of what is served now, as far as nobody else wrote it."""
    past = {proxy.name: proxy for proxy in before.proxies}
    found = []
    for proxy in now.proxies:
        former = past.get(proxy.name)
        routes = {each.name: each for each in former.route_configurations} if former else {}
        for configuration in proxy.route_configurations:
            found += suspects(configuration, routes.get(configuration.name))
        for kind, items, known in (
            ("Cluster", proxy.clusters, former.clusters if former else ()),
            ("Listener", proxy.listeners, former.listeners if former else ()),
        ):
            found += [suspect(proxy, kind, each.name) for each in items if each not in known]
    return [each for each in found if each is not None and each.owner not in others]


CLAIMED = {"PEN209", "PEN407", "PEN411"}
"""An identity, a domain or an address that has an owner already."""


@PROFILE
@given(data=st.data())
def test_isolation_without_a_past(data):
    """
    Others are served alike even if the first files ever seen are those after the edit.

    Only of what two of them claim, nobody knows who had it first: files have no age. Then the one
    whose folder, date or name comes first has it, and the other is told.
    """
    configuration = data.draw(configurations())
    team = data.draw(st.sampled_from(configuration.teams))
    others = authors(configuration, team)
    theirs = belongings(translate(Inputs(files=configuration.files)), others)
    mine = configuration.of(team)
    rest = {o: text for o, text in configuration.files.items() if o not in mine}
    for _ in range(data.draw(st.integers(1, 3))):
        mine = mutate(data.draw, mine, team, configuration)
    note(changes(configuration.of(team), mine))
    now = translate(Inputs(files=rest | mine))

    assert [] == faults(now)
    if not CLAIMED & {found.code for found in now.diagnostics}:
        ordered = not configuration.lone(but=team)
        assert [] == losses(theirs, belongings(now, others), ordered=ordered)


def authors(configuration, but):
    """Name all documents but those of one team."""
    return frozenset(
        ResourceRef(
            document["kind"], document["metadata"]["namespace"], document["metadata"]["name"]
        )
        for _, document in configuration.documents(but=but)
    )


def losses(theirs, now, *, ordered):
    """List what was there before and is not there now, or is other bytes."""
    arranged = tuple if ordered else sorted
    return [
        *(
            f"routes {key}"
            for key, routes in theirs.routes.items()
            if arranged(routes) != arranged(now.routes.get(key, ()))
        ),
        *missing("cluster", theirs.clusters, now.clusters),
        *missing("endpoints", theirs.endpoints, now.endpoints),
        *missing("listener", theirs.listeners, now.listeners),
    ]


def missing(kind, before, now):
    return [f"{kind} {key}" for key, body in before.items() if now.get(key) != body]


def strays(translation, configuration, team):
    """List routes of a team's namespace outside its prefix, in domains where everybody has one."""
    if configuration.selected:
        return []
    return [
        str(route.match)
        for proxy in translation.proxies
        for configured in proxy.route_configurations
        for host in configured.virtual_hosts
        if host.source.namespace == "gloo-system" and host.source.name in {"app", "api"}
        for route in host.routes
        if route.source.namespace == team and not route.match.path.value.startswith(f"/{team}")
    ]


def check_hold(last, now):
    """While a proxy is held, only its clusters and endpoints change."""
    for name, served in now.served.items():
        if not served.held:
            continue
        proxy, past = served.proxy, last.served[name].proxy
        assert past.listeners == proxy.listeners
        assert past.route_configurations == proxy.route_configurations


def changes(old, new):
    """Write what is different in files, for the report of a failure."""
    return yaml.safe_dump(
        {
            o: new.get(o, b"").decode("latin-1")
            for o in sorted(old | new)
            if old.get(o) != new.get(o)
        }
    )

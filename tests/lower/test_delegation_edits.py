"""Who delegates to whom is found by difference, and is what it would be without any past."""

import itertools

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from lower_world import HELLO, delegate, route, select, table, virtual_service

from translator.lower import targets
from translator.pipeline import Inputs, translate
from translator.report import ResourceRef

TABLES = tuple(itertools.product("ab", "stu"))
SERVICES = (("ops", "v"), ("ops", "w"), ("a", "x"))
SELECTORS = {
    "{labels: {x: '1'}}": lambda own, key, has: key[0] == own and has.get("x") == "1",
    "{labels: {x: '1', y: '1'}, namespaces: ['*']}": (
        lambda own, key, has: has.get("x") == has.get("y") == "1"
    ),
    "{namespaces: [b]}": lambda own, key, has: key[0] == "b",
    "{expressions: [{key: x, operator: In, values: ['1', '2']}], namespaces: ['*']}": (
        lambda own, key, has: has.get("x") in {"1", "2"}
    ),
    "{expressions: [{key: x, operator: NotIn, values: ['1']}], namespaces: [a, b]}": (
        lambda own, key, has: has.get("x") != "1"
    ),
    "{expressions: [{key: x, operator: Exists}, {key: y, operator: Equals, values: ['1']}],"
    " namespaces: ['*']}": lambda own, key, has: "x" in has and has.get("y") == "1",
}
EDGES = st.lists(st.sampled_from([*TABLES, *SELECTORS]), max_size=3)
LABELS = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
OWNERS = {
    **{key: st.tuples(EDGES, st.just({}), st.just(0)) for key in SERVICES},
    **{key: st.tuples(EDGES, LABELS, st.integers(0, 1)) for key in TABLES},
}
"""What may be written, by key: delegations, labels and weight."""


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_delegations_do_not_remember(data):
    """
    After any edits, tables have the owners that a look at everything gives.

    Delegations come and go, by reference and by selector; so do tables, their labels and weights,
    a table's second owner, and cycles, to which something leads or nothing does.
    """
    world = data.draw(st.fixed_dictionaries({}, optional=OWNERS))
    now = None
    for _ in range(data.draw(st.integers(2, 6))):
        now = translate(Inputs(files=files(world)), now)
        found = now.work.written.delegations
        note(files(world))

        assert groups(world) == {
            ref.key: [each.groups for each in targets.targets.values()]
            for ref, targets in found.by_table.items()
        }
        assert owners(world) == {
            key: {ref.key for ref in refs} for key, refs in found.owners.items()
        }
        assert lonely(world) == set(found.lonely) == found.unreached.keys()
        assert first_owners(world) == {
            key: place.resource.ref.key
            for key in TABLES
            if (place := found.delegator(ResourceRef("RouteTable", *key))) is not None
        }
        for key in data.draw(st.lists(st.sampled_from(sorted(OWNERS)), min_size=1, max_size=3)):
            world = {k: v for k, v in world.items() if k != key}
            if data.draw(st.integers(0, 3)):
                world[key] = data.draw(OWNERS[key])


def files(world):
    texts = {}
    for (namespace, name), (edges, labels, weight) in sorted(world.items()):
        routes = [
            select(edge, "{prefix: /}") if isinstance(edge, str) else delegate("/".join(edge))
            for edge in edges
        ]
        full = f"{namespace}/{name}"
        text = (
            virtual_service(*routes, name=full, domains=f"[{name}.test]")
            if (namespace, name) in SERVICES
            else table(full, *routes, labels=str(labels), weight=weight)
        )
        texts[f"{full}.yaml"] = text.encode()
    return texts


def groups(world):
    """The groups of tables of each delegation, for all who delegate."""
    there = {key: value for key, value in world.items() if key in TABLES}
    return {
        key: [chosen(key, edge, there) for edge in edges]
        for key, (edges, _, _) in world.items()
        if edges
    }


def chosen(owner, edge, there):
    if not isinstance(edge, str):
        return ((edge,),) if edge in there else ()
    wanted = SELECTORS[edge]
    keys = sorted((there[key][2], key) for key in there if wanted(owner[0], key, there[key][1]))
    grouped = itertools.groupby(keys, key=lambda item: item[0])
    return tuple(tuple(key for _, key in members) for _, members in grouped)


def owners(world):
    found = {}
    for owner, those in groups(world).items():
        for key in itertools.chain.from_iterable(itertools.chain.from_iterable(those)):
            found.setdefault(key, set()).add(owner)
    return found


def lonely(world):
    """The tables that are not reached from any virtual service."""
    below = owners(world)
    reached = set(SERVICES)
    while more := {key for key in below if below[key] & reached} - reached:
        reached |= more
    return {key for key in world if key not in reached}


def first_owners(world):
    """Whom a report names first: a virtual service, else a table."""
    return {
        key: min(found, key=lambda owner: (owner not in SERVICES, owner))
        for key, found in owners(world).items()
    }


@pytest.fixture
def searches(monkeypatch):
    """Count whose delegations are searched, and which tables selectors look at."""
    owners, tables = [], []
    targets_of, wants = targets.Finder.targets_of, targets._wants

    def counted_targets_of(self, ref):
        owners.append(ref.key)
        return targets_of(self, ref)

    def counted_wants(selector, own, table):
        tables.append(table.ref.key)
        return wants(selector, own, table)

    monkeypatch.setattr(targets.Finder, "targets_of", counted_targets_of)
    monkeypatch.setattr(targets, "_wants", counted_wants)
    return owners, tables


def teams(count):
    """A virtual service for each team, which leads to two tables by name and to two by label."""
    texts = {}
    for team in map(str, range(count)):
        by_label = f"{{labels: {{team: '{team}'}}, namespaces: ['*']}}"
        texts[f"ops/{team}.yaml"] = virtual_service(
            *(delegate(f"t{team}/{name}", "{prefix: /n}") for name in "ab"),
            select(by_label, "{prefix: /l}"),
            name=f"ops/v{team}",
            domains=f"[{team}.test]",
        ).encode()
        for name in "abcd":
            labels = f"{{team: '{team}'}}" if name in "cd" else "{}"
            prefix = "/l" if name in "cd" else "/n"
            texts[f"t{team}/{name}.yaml"] = table(
                f"t{team}/{name}", route(f"{{prefix: {prefix}/{name}}}"), labels=labels
            ).encode()
    return texts


def test_an_edit_of_a_virtual_service_searches_its_own_delegations(searches):
    """Of the others nothing is searched, and of the tables only those with the label."""
    texts = teams(8)
    before = translate(Inputs(files=texts))
    owners, tables = searches
    owners.clear()
    tables.clear()
    edited = texts["ops/3.yaml"].replace(b"/l}", b"/}")
    after = translate(Inputs(files=texts | {"ops/3.yaml": edited}), before)

    assert [("ops", "v3")] == owners
    assert [("t3", "c"), ("t3", "d")] == sorted(tables)
    old, new = before.work.written, after.work.written
    assert old.delegations.owners is new.delegations.owners
    edited_ref = ResourceRef("VirtualService", "ops", "v3")
    for ref, known in old.delegations.by_table.items():
        assert (known is new.delegations.by_table[ref]) is (ref != edited_ref)
    for key, host in old.hosts.items():
        assert (host is new.hosts[key]) is (key != ("ops", "v3"))


def test_a_new_table_is_searched_for_where_it_is_wanted(searches):
    """Only who wants a table looks again for tables, whether it comes or goes."""
    texts = teams(8)
    before = translate(Inputs(files=texts))
    more = table("t5/e", route("{prefix: /l/e}", HELLO), labels="{team: '5'}").encode()
    owners, _ = searches
    owners.clear()
    after = translate(Inputs(files=texts | {"t5/e.yaml": more}), before)
    again = translate(Inputs(files=texts), after)

    assert [("ops", "v5"), ("ops", "v5")] == owners
    assert ("t5", "e") in after.work.written.delegations.owners
    assert before.work.written.delegations.owners == again.work.written.delegations.owners

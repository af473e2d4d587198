import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import manifest, readings, table

from translator.parse import parse
from translator.report import ResourceRef
from translator.resources import PastResources, build_index, folder_namespace, read, update_index

FILES = {
    "a.yaml": manifest("RouteTable", "  weight: 1"),
    "b.yaml": manifest("RouteTable", "  weight: 2").replace("name: echo,", "name: foxtrot,"),
    "c.yaml": manifest("RouteTable", "  weight: x").replace("name: echo,", "name: golf,"),
    "d.yaml": manifest("RouteTable", "  weight: 3"),
    "echo/e.yaml": """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: echo}, spec: {ports: [{port: 80}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: p2}, status: {podIP: 10.0.0.1}}
- {apiVersion: v1, kind: Pod, metadata: {name: p1}, status: {podIP: 10.0.0.1}}
- {apiVersion: v1, kind: Endpoints, metadata: {name: echo}, subsets: []}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: s2, labels: {kubernetes.io/service-name: echo}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: s1, labels: {kubernetes.io/service-name: echo}}
- {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s3}}
- {apiVersion: v1, kind: Secret, metadata: {name: echo}}
""",
    "foxtrot/f.yaml": manifest("RouteTable", "  wieght: 1"),
}


def read_files(files):
    """Read all documents of some files."""
    return [
        read(document, folder_namespace=folder_namespace(origin))
        for origin, text in files.items()
        for document in parse(origin, text.encode()).documents
    ]


def everything(index):
    return {each.ref: each for known in index.kinds.values() for each in known.values()}


def summary(index, diagnostics):
    """Write down an index as values."""
    return (
        [(key, table.spec.weight) for key, table in index.route_tables.items()],
        sorted(index.services),
        sorted(index.endpoints),
        sorted((k, [s.ref.name for s in those]) for k, those in index.endpoint_slices.items()),
        sorted(index.pods),
        sorted((ip, pod.ref.name) for ip, pod in index.pods_by_ip.items()),
        sorted(index.broken),
        list(index.names.items()),
        [(str(d.position), d.code, d.message, d.related) for d in diagnostics],
    )


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(shuffler):
    """The same documents give the same index and findings in whatever order they come."""
    found = read_files(FILES)
    expected = summary(*build_index(found))
    shuffler.shuffle(found)

    assert expected == summary(*build_index(found))


CHOICES = {
    "a.yaml": (FILES["a.yaml"], FILES["c.yaml"], FILES["d.yaml"]),
    "echo/b.yaml": (FILES["b.yaml"], FILES["a.yaml"], "kind: RouteTable"),
    "echo/e.yaml": (FILES["echo/e.yaml"], FILES["echo/e.yaml"].replace("p2", "p3")),
    "foxtrot/e.yaml": (FILES["echo/e.yaml"], FILES["echo/e.yaml"].replace("s2", "s3")),
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(CHOICES)), st.sampled_from([0, 1, 2])), min_size=2
    )
)
def test_an_update_gives_what_a_new_index_would(steps):
    """However documents come and go, the index is that of those that are there."""
    index, known, past = build_index([])[0], {}, PastResources()
    for step in steps:
        texts = {o: CHOICES[o][number % len(CHOICES[o])] for o, number in step.items()}
        now = {o: [text, readings(text, o)] for o, text in texts.items()}
        kept = {o for o in now if o in known and known[o][0] == now[o][0]}
        index, found = update_index(
            index,
            gone=[each for o in known.keys() - kept for each in known[o][1]],
            come=[each for o in now.keys() - kept for each in now[o][1]],
            past=past,
        )
        known = now | {o: known[o] for o in kept}
        fresh, expected = build_index([r for _, each in known.values() for r in each], past)

        assert summary(fresh, expected) == summary(index, found)
        assert fresh.stale == index.stale
        assert fresh.former_upstreams == index.former_upstreams
        past = PastResources(good=everything(index))


def test_the_order_of_keys_does_not_matter():
    """A mapping means the same however its keys are ordered."""
    text = """\
spec: {routes: [{options: {timeout: 1s}, name: a}], weight: 1}
metadata: {namespace: echo, name: echo}
kind: RouteTable
apiVersion: gateway.solo.io/v1
"""
    [one] = readings(text)
    [other] = readings(table("  weight: 1\n  routes: [{name: a, options: {timeout: 1s}}]"))

    assert (one.ref, one.resource.spec) == (other.ref, other.resource.spec)


def test_resources_are_found_by_kind_and_key():
    """The index is sorted, knows what is broken, and leaves out what is not used."""
    index, _ = build_index(read_files(FILES))

    assert [("echo", "echo"), ("echo", "foxtrot")] == list(index.route_tables)
    assert frozenset({ResourceRef("RouteTable", "echo", "golf")}) == index.broken
    assert ("echo/echo", "echo/foxtrot", "echo/golf") == index.names["RouteTable"]
    assert "Secret" not in index.names


def test_endpoints_are_found_by_service_and_address():
    """Slices belong to the Service of their label, and an address to the first Pod that has it."""
    index, _ = build_index(read_files(FILES))

    assert ["s1", "s2"] == [s.ref.name for s in index.endpoint_slices["echo", "echo"]]
    assert [("echo", "p1"), ("echo", "p2")] == list(index.pods)
    assert "p1" == index.pods_by_ip["echo", "10.0.0.1"].ref.name
    assert 80 == index.services["echo", "echo"].spec.spec.ports[0].port


def test_the_first_of_two_documents_with_one_identity_is_used():
    """The first by file and place wins; the others are reported and know the first."""
    index, diagnostics = build_index(read_files(FILES))

    assert 1 == index.route_tables["echo", "echo"].spec.weight
    assert [
        ("d.yaml:3:18", "PEN209", "first here", "a.yaml:3:18"),
        ("foxtrot/f.yaml:3:18", "PEN209", "first here", "a.yaml:3:18"),
    ] == [
        (str(finding.position), finding.code, label, str(first))
        for finding in diagnostics
        for label, first in finding.related
    ]


def test_the_first_counts_even_if_it_is_broken():
    """A valid copy behind a broken resource does not take its place unnoticed."""
    broken, valid = table("  weight: x"), table("  weight: 1")
    index, diagnostics = build_index(readings(f"{broken}---\n{valid}"))

    assert {} == index.route_tables
    assert frozenset({ResourceRef("RouteTable", "echo", "echo")}) == index.broken
    assert ["PEN209"] == [finding.code for finding in diagnostics]


def test_the_folder_of_the_namespace_comes_first():
    """Whoever owns the folder of a namespace keeps the names in it, whatever the order of files."""
    files = {"a.yaml": FILES["a.yaml"], "echo/z.yaml": FILES["d.yaml"]}
    index, [duplicate] = build_index(read_files(files))

    assert 3 == index.route_tables["echo", "echo"].spec.weight
    assert "a.yaml:3:18" == str(duplicate.position)


def test_an_empty_index():
    """Nothing is a valid input."""
    index, diagnostics = build_index([])

    assert ({}, frozenset(), ()) == (index.virtual_services, index.broken, diagnostics)


@pytest.mark.slow
def test_ten_thousand_tables_are_indexed_in_one_go():
    """The index has one entry for each, in order."""
    text = "---\n".join(
        table("  weight: 1").replace("name: echo,", f"name: t{number},")
        for number in random.Random(1).sample(range(2000), 2000)
    )
    index, diagnostics = build_index(readings(text))

    assert 2000 == len(index.route_tables)
    assert sorted(index.route_tables) == list(index.route_tables)
    assert () == diagnostics


POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: {0}, namespace: echo}}
status: {{podIP: {1}}}
"""
SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {}, namespace: echo, labels: {{kubernetes.io/service-name: echo}}}}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: echo, namespace: echo}\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"echo/s.yaml": SERVICE, "echo/e.yaml": SLICE.format("own")}, ["own"]),
        ({"k8s/s.yaml": SERVICE, "other/e.yaml": SLICE.format("apart")}, ["apart"]),
        (
            {
                "echo/s.yaml": SERVICE,
                "echo/e.yaml": SLICE.format("own"),
                "bravo/e.yaml": SLICE.format("foreign"),
            },
            ["own"],
        ),
    ],
)
def test_endpoints_come_from_the_folder_of_the_service(files, expected):
    """Nobody adds endpoints to a Service that has some in its own folder."""
    index, _ = build_index(read_files(files))

    assert expected == [found.ref.name for found in index.endpoint_slices["echo", "echo"]]


def test_a_pod_does_not_take_the_address_of_another():
    """Of two Pods of a namespace with one address the one counts that had it before."""
    own, foreign = POD.format("p", "10.0.0.1"), POD.format("a", "10.0.0.1")
    before, _ = build_index(read_files({"k8s/p.yaml": own}))
    files = {"k8s/p.yaml": own, "bravo/a.yaml": foreign}

    index, _ = build_index(read_files(files), PastResources(good=everything(before)))
    assert "p" == index.pods_by_ip["echo", "10.0.0.1"].ref.name

    index, _ = build_index(read_files({"echo/p.yaml": own, "bravo/a.yaml": foreign}))
    assert "p" == index.pods_by_ip["echo", "10.0.0.1"].ref.name


def test_a_folder_inside_of_another_teams_comes_later():
    """Of two folders that are called like a namespace, the outer one is the owner's."""
    files = {"bravo/echo/a.yaml": FILES["a.yaml"], "echo/routes/z.yaml": FILES["d.yaml"]}
    index, [duplicate] = build_index(read_files(files))

    assert 3 == index.route_tables["echo", "echo"].spec.weight
    assert "bravo/echo/a.yaml" == duplicate.position.path


def test_nobody_takes_the_place_of_what_cannot_be_read():
    """While the file of a resource cannot be read, another document of its name is not used."""
    before, _ = build_index(read_files({"echo/a.yaml": FILES["a.yaml"]}))
    [ref] = everything(before)

    index, _ = build_index(
        read_files({"bravo/d.yaml": FILES["d.yaml"]}),
        PastResources(good=everything(before), lost=frozenset({ref})),
    )

    assert 1 == index.route_tables["echo", "echo"].spec.weight
    assert {ref} == index.stale

import random

import pytest

from xds.snapshot import Resource, Snapshot, combined_version
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION


def cluster(name, body=b"", *, endpoints=None):
    return Resource.of(CLUSTER, name, b"cluster " + body, requires=[endpoints or name])


def endpoints(name, body=b""):
    return Resource.of(LOAD_ASSIGNMENT, name, b"endpoints " + body)


def consistent():
    return [
        cluster("a"),
        cluster("b"),
        endpoints("a"),
        endpoints("b"),
        Resource.of(LISTENER, "l", b"listener", requires=["r"]),
        Resource.of(ROUTE_CONFIGURATION, "r", b"routes", requires=["a", "b"]),
    ]


def test_versions_outlive_the_process():
    """A version depends on content only: it is pinned here, so that no release changes it."""
    snapshot = Snapshot.of([cluster("a"), endpoints("a")])

    assert "8a8eb0c9ce9abbea" == snapshot.resources(CLUSTER)["a"].version
    assert "914ea2251241d812" == snapshot.version_info


def test_order_of_resources_does_not_matter():
    """The same resources in any order are the same snapshot, listed by name."""
    shuffled = consistent()
    random.Random(7).shuffle(shuffled)

    snapshot = Snapshot.of(shuffled)

    assert Snapshot.of(consistent()) == snapshot
    assert ["a", "b"] == list(snapshot.resources(CLUSTER))


def test_what_was_given_makes_the_same_snapshot():
    """A snapshot can be taken apart and made again, with the versions that clients know."""
    snapshot = Snapshot.of(consistent())
    parts = [part for url in snapshot.types() for part in snapshot.resources(url).values()]

    again = Snapshot.of(parts)

    assert snapshot == again
    assert {url: snapshot.resources(url) for url in snapshot.types()} == {
        url: again.resources(url) for url in again.types()
    }


def test_duplicate_names_are_refused():
    """Rule 44: no client is ever sent two resources of one name."""
    with pytest.raises(ValueError, match="two Cluster resources are called 'a'"):
        Snapshot.of([cluster("a"), cluster("a", b"other")])


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER, ROUTE_CONFIGURATION])
def test_type_version_changes_with_its_resources_only(type_url):
    """Rule 45: the version of a type changes with any of its resources and with nothing else."""
    before = Snapshot.of(consistent())

    changed = [Resource.of(r.type_url, r.name, b"new", requires=r.requires) for r in consistent()]
    after = before.replace(type_url, [r for r in changed if r.type_url == type_url])

    others = {CLUSTER, LISTENER, ROUTE_CONFIGURATION} - {type_url}
    assert before.version(type_url) != after.version(type_url)
    assert before.version_info != after.version_info
    assert all(before.version(other) == after.version(other) for other in others)


def test_types_do_not_share_versions():
    """Equal bytes of two types are not one version."""
    assert Resource.of(CLUSTER, "a", b"x").version != Resource.of(LISTENER, "a", b"x").version
    assert combined_version(CLUSTER, []) != combined_version(LISTENER, [])


class TestEndpointsFollowTheirClusters:
    """Rule 58: the version of a load assignment mixes in those of the clusters that use it."""

    def test_changed_cluster_changes_its_endpoints_version(self):
        """Only the endpoints of the changed cluster are new; their bytes are the same."""
        before = Snapshot.of([cluster("a"), cluster("b"), endpoints("a"), endpoints("b")])

        after = before.replace(CLUSTER, [cluster("a", b"timeout"), cluster("b")])

        old, new = before.resources(LOAD_ASSIGNMENT), after.resources(LOAD_ASSIGNMENT)
        assert old["a"].version != new["a"].version
        assert old["a"].body == new["a"].body
        assert old["b"] is new["b"]

    def test_second_cluster_on_the_same_endpoints(self):
        """A cluster that begins to share endpoints makes them new for clients."""
        before = Snapshot.of([cluster("a"), endpoints("a")])

        after = before.replace(CLUSTER, [cluster("a"), cluster("other", endpoints="a")])

        name = "a"
        assert before.get(LOAD_ASSIGNMENT, name).version != after.get(LOAD_ASSIGNMENT, name).version

    def test_replacing_equals_building(self):
        """A snapshot does not depend on how it came about."""
        resources = consistent()
        clusters = [r for r in resources if r.type_url == CLUSTER]

        replaced = Snapshot.of([cluster("z"), *resources]).replace(CLUSTER, clusters)

        assert Snapshot.of(resources) == replaced

    def test_served_resources_make_the_same_snapshot(self):
        """What was taken out of a snapshot can be put into another one, without mixing twice."""
        snapshot = Snapshot.of(consistent())

        again = Snapshot.of(
            [r for url in snapshot.types() for r in snapshot.resources(url).values()]
        )

        assert snapshot == again

    def test_unchanged_endpoints_are_shared(self):
        """An edit of routes costs nothing in endpoints."""
        before = Snapshot.of(consistent())

        after = before.replace(ROUTE_CONFIGURATION, [])

        assert before.resources(LOAD_ASSIGNMENT) is after.resources(LOAD_ASSIGNMENT)


@pytest.mark.parametrize(
    ("resources", "problems"),
    [
        (consistent(), ()),
        ([], ()),
        (
            [cluster("a")],
            ("Cluster 'a' refers to ClusterLoadAssignment 'a', which does not exist",),
        ),
        ([endpoints("a")], ("ClusterLoadAssignment 'a' is used by no Cluster",)),
        ([cluster("unused", endpoints="a"), endpoints("a")], ()),
        (
            [Resource.of(LISTENER, "l", b"", requires=["r", "s"])],
            (
                "Listener 'l' refers to RouteConfiguration 'r', which does not exist",
                "Listener 'l' refers to RouteConfiguration 's', which does not exist",
            ),
        ),
        (
            [Resource.of(ROUTE_CONFIGURATION, "r", b"", requires=["a"])],
            (
                "RouteConfiguration 'r' is used by no Listener",
                "RouteConfiguration 'r' refers to Cluster 'a', which does not exist",
            ),
        ),
    ],
)
def test_inconsistencies(resources, problems):
    """Rule 87: what refers to nothing, and what nothing refers to, is found before it is served."""
    assert problems == Snapshot.of(resources).inconsistencies()

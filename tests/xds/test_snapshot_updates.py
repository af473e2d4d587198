"""The next snapshot is made of what changed, and is what it would be if it were made anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.snapshot import Changes, Part, Resource, Snapshot, combined_version
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

TYPES = (CLUSTER, LOAD_ASSIGNMENT, LISTENER)
NAMES = "abc"


def resource(type_url, name, body, requires=()):
    """Make a resource with its name in its body, as all of Envoy's have it."""
    return Resource.of(type_url, name, f"{name} {body}".encode(), requires=requires)


resources = st.builds(
    resource,
    st.sampled_from(TYPES),
    st.sampled_from(NAMES),
    st.sampled_from("xy"),
    st.sets(st.sampled_from(NAMES)),
)
steps = st.tuples(
    st.lists(resources, max_size=4, unique_by=lambda each: (each.type_url, each.name)),
    st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(NAMES)), max_size=3),
)


def everything(snapshot):
    return {
        url: [(name, each.version, each.body) for name, each in snapshot.resources(url).items()]
        for url in snapshot.types()
    }


def versions(snapshot):
    return {url: snapshot.version(url) for url in TYPES}


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=6))
def test_updates_do_not_show(history):
    """However a snapshot came about, it has the resources and the versions that it has at once."""
    snapshot, there = Snapshot.of(()), {}
    for changed, removed in history:
        snapshot = snapshot.updated(changed, removed)
        for key in removed:
            there.pop(key, None)
        there |= {(each.type_url, each.name): each for each in changed}

        fresh = Snapshot.of(there.values())

        assert (fresh, versions(fresh)) == (snapshot, versions(snapshot))
        assert everything(fresh) == everything(snapshot)


def expected(before, after):
    found = {}
    for url in TYPES:
        old, new = before.resources(url), after.resources(url)
        changes = Changes(
            added=tuple(name for name in new if name not in old),
            changed=tuple(n for n in new if n in old and new[n].version != old[n].version),
            removed=tuple(name for name in old if name not in new),
        )
        if changes:
            found[url] = changes
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_changes_are_the_differences(history):
    """Of the next snapshot, of a later one and of any other it is told what is different."""
    snapshots = [Snapshot.of(())]
    for changed, removed in history:
        snapshots.append(snapshots[-1].updated(changed, removed))

    for before in snapshots:
        for after in snapshots:
            assert expected(before, after) == after.changes(before)
    assert expected(snapshots[-2], snapshots[-1]) == snapshots[-1].changes(snapshots[-2])


def test_what_does_not_change_is_shared():
    """The next snapshot has the same objects, and the same mappings of other types."""
    before = Snapshot.of([resource(CLUSTER, name, "x", [name]) for name in NAMES])

    after = before.updated([resource(LISTENER, "l", "x")])

    assert before.resources(CLUSTER) is after.resources(CLUSTER)


def test_two_of_a_name_are_refused():
    with pytest.raises(ValueError, match="two Listener resources are called 'l'"):
        Snapshot.of(()).updated([resource(LISTENER, "l", "x"), resource(LISTENER, "l", "y")])


def test_the_version_of_several_is_that_of_a_snapshot_of_them():
    several = [resource(CLUSTER, name, "x", [name]) for name in NAMES]

    assert Snapshot.of(several).version(CLUSTER) == combined_version(CLUSTER, reversed(several))


class TestParts:
    def test_parts_make_a_resource(self):
        """A resource of parts has their bytes and refers to what they refer to."""
        parts = [Part.of(b"one", requires=["a"]), Part.of(b"two", requires=["b"])]

        made = Resource.of_parts(ROUTE_CONFIGURATION, "r", parts)

        assert (b"onetwo", 6, {"a", "b"}) == (made.body, made.size, made.requires)

    def test_another_part_is_another_content(self):
        """Neither a changed part nor one that is divided elsewhere passes for the same."""
        bodies = [(b"ab", b"c"), (b"ab", b"d"), (b"a", b"bc"), (b"abc",), (b"c", b"ab")]

        contents = {
            Resource.of_parts(ROUTE_CONFIGURATION, "r", map(Part.of, each)).content
            for each in bodies
        }

        assert len(bodies) == len(contents)

    def test_what_was_written_down_keeps_its_version(self):
        """The body, in its chunks, and the content's hash are enough to have the same again."""
        made = Resource.of_parts(ROUTE_CONFIGURATION, "r", [Part.of(b"one"), Part.of(b"two")])

        again = Resource.restored(
            ROUTE_CONFIGURATION, "r", made.chunks, requires=(), content=made.content
        )

        assert made == again
        assert (made.body, [*made.chunks]) == (again.body, [*again.chunks])
        assert made != Resource.of(ROUTE_CONFIGURATION, "r", made.body)

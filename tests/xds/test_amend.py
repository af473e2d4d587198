"""What a client is served in the place of what it refuses."""

from __future__ import annotations

from conversation import CDS, EDS, LDS, RDS, world

from xds.amend import amend

OLD = world("a b", routes={"r": "a b", "s": "b"})
NEW = world("b c", routes={"r": "c", "s": "b c"}, edits={"CDS b": "2"})


def refusing(*keys, base=OLD):
    refused = {NEW.get(kind, name).content for kind, name in keys}
    return lambda resource: base if resource.content in refused else None


def names(snapshot, kind):
    return set(snapshot.resources(kind))


def test_nothing_refused_changes_nothing():
    assert NEW == amend(NEW, refusing())


def test_rule_107_the_last_accepted_version_stands_in():
    """It comes with the clusters and endpoints that it needs; everything else is the newest."""
    amended = amend(NEW, refusing((RDS, "r")))

    assert OLD.get(RDS, "r") == amended.get(RDS, "r")
    assert NEW.get(RDS, "s") == amended.get(RDS, "s")
    assert {"a", "b", "c"} == names(amended, CDS) == names(amended, EDS)
    assert NEW.get(CDS, "b") == amended.get(CDS, "b")
    assert () == amended.inconsistencies()


def test_a_refused_cluster_is_the_one_before():
    amended = amend(NEW, refusing((CDS, "b")))

    assert OLD.get(CDS, "b") == amended.get(CDS, "b")
    assert OLD.get(EDS, "b") == amended.get(EDS, "b")


def test_what_was_never_accepted_is_left_out():
    assert {"b"} == names(amend(NEW, refusing((CDS, "c"))), CDS)
    assert set() == names(amend(NEW, refusing((LDS, "l"), base=world())), LDS)
    assert set() == names(amend(NEW, refusing((RDS, "r"), (RDS, "s"), base=world())), RDS)

"""What a client is served in the place of what it refuses."""

from __future__ import annotations

from conversation import CDS, EDS, LDS, RDS, world

from xds.amend import amend as amend_some
from xds.verdicts import Content

OLD = world("a b", routes={"r": "a b", "s": "b"})
NEW = world("b c", routes={"r": "c", "s": "b c"}, edits={"CDS b": "2"})


def amend(snapshot, *keys, base=OLD):
    """Put what stood in an older snapshot in the place of what is refused, by type and name."""
    refused = {Content(kind, name, NEW.get(kind, name).content) for kind, name in keys}

    def base_of(resource):
        content = Content(resource.type_url, resource.name, resource.content)
        return base if content in refused else None

    return amend_some(snapshot, base_of, refused)


def names(snapshot, kind):
    return set(snapshot.resources(kind))


def test_nothing_refused_changes_nothing():
    assert NEW == amend(NEW)


def test_rule_107_the_last_accepted_version_stands_in():
    """It comes with the clusters and endpoints that it needs; everything else is the newest."""
    amended = amend(NEW, (RDS, "r"))

    assert OLD.get(RDS, "r") == amended.get(RDS, "r")
    assert NEW.get(RDS, "s") == amended.get(RDS, "s")
    assert {"a", "b", "c"} == names(amended, CDS) == names(amended, EDS)
    assert NEW.get(CDS, "b") == amended.get(CDS, "b")
    assert () == amended.inconsistencies()


def test_a_refused_cluster_is_the_one_before():
    amended = amend(NEW, (CDS, "b"))

    assert OLD.get(CDS, "b") == amended.get(CDS, "b")
    assert OLD.get(EDS, "b") == amended.get(EDS, "b")


def test_what_was_never_accepted_is_left_out():
    assert {"b"} == names(amend(NEW, (CDS, "c")), CDS)
    assert set() == names(amend(NEW, (LDS, "l"), base=world()), LDS)
    assert set() == names(amend(NEW, (RDS, "r"), (RDS, "s"), base=world()), RDS)

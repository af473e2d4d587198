"""Where routes came from is looked up once."""

from translator.ir import Source
from translator.policy import RouteOwners


class Counted:
    """A route that counts how often it is asked where it came from."""

    def __init__(self, name):
        self.asked = 0
        self._source = Source(kind="RouteTable", namespace="team", name=name, route="r")

    @property
    def source(self):
        self.asked += 1
        return self._source


def test_routes_are_asked_once_in_any_number_of_translations():
    """The very same tuple of routes is looked through once, as long as each translation asks."""
    routes, others = (Counted("a"), Counted("a"), Counted("b")), (Counted("c"),)
    owners = RouteOwners()
    for _ in range(4):
        owners = RouteOwners(owners)
        found = owners.of(routes)
        again = owners.of(routes)

    assert {("RouteTable", "team", "a"), ("RouteTable", "team", "b")} == found
    assert found is again
    assert [1, 1, 1] == [route.asked for route in routes]
    assert {("RouteTable", "team", "c")} == owners.of(others)
    assert {id(routes), id(others)} == owners.known.keys()

from __future__ import annotations

import pytest
from proxies import CANARY, V1, V2, endpoint, match, proxy, route, split

from penstock.address import Address
from penstock.demo_guide import backend_names, listeners, requests_to_try
from translator import ir

FOXTROT = "http://127.0.0.1:8080/foxtrot"


def test_loopback_hosts_need_backends():
    """Each host on this machine's loopback answers as its upstream and its labels."""
    hosts = (endpoint(9201, "v1"), endpoint(9202), endpoint(80, "v1", "192.0.2.1"))

    names = backend_names([proxy(endpoints=hosts)])

    assert names == {
        Address("127.0.0.1", 9201): "foxtrot v1",
        Address("127.0.0.1", 9202): "foxtrot",
    }


def test_listeners_are_those_of_one_proxy():
    """Another proxy's listeners are not this Envoy's."""
    proxies = [proxy(), proxy(name="other", address="127.0.0.2")]

    found = listeners(proxies, "gateway-proxy")

    assert found == {Address("127.0.0.1", 8080): "gloo-system/gateway-proxy"}


@pytest.mark.parametrize(
    ("proxy", "requests"),
    [
        pytest.param(
            proxy(route(V2, CANARY), route(V1)),
            (
                (f"curl {FOXTROT} -H 'stage: canary'", "foxtrot v2"),
                (f"curl {FOXTROT}", "foxtrot v1"),
            ),
            id="header",
        ),
        pytest.param(
            proxy(route(split(1, 1))),
            ((f"curl {FOXTROT}", "foxtrot v1 50 %, foxtrot v2 50 %"),),
            id="shares",
        ),
        pytest.param(
            proxy(route(V1, match(methods=("POST", "PUT")))),
            ((f"curl {FOXTROT} -X POST", "foxtrot v1"),),
            id="method",
        ),
        pytest.param(
            proxy(route(V1), domains=("*.example.com", "example.com")),
            ((f"curl {FOXTROT} -H 'host: example.com'", "foxtrot v1"),),
            id="domain",
        ),
        pytest.param(
            proxy(route(V1), domains=("*.example.com",)),
            (),
            id="only-wildcards",
        ),
        pytest.param(
            proxy(route(V1), address="::"),
            ((f"curl {FOXTROT}", "foxtrot v1"),),
            id="any-address",
        ),
        pytest.param(
            proxy(route(V1, match("/foxtrot/[0-9]+", kind=ir.PathKind.REGEX))),
            (),
            id="expression",
        ),
    ],
)
def test_requests_to_try(proxy, requests):
    """Each route that a plain request reaches has a command, with what answers it."""
    assert requests_to_try([proxy], "gateway-proxy") == requests

from __future__ import annotations

from dataclasses import replace

import pytest
from proxies import CANARY, V1, V2, endpoint, proxy, route, split

from penstock.demo_changes import describe_changes
from translator import ir


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param(proxy(route(V1)), proxy(route(V1)), (), id="nothing"),
        pytest.param(
            proxy(route(V1)),
            proxy(route(split(50, 50))),
            ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v1 50 %, foxtrot v2 50 %",),
            id="shares",
        ),
        pytest.param(
            proxy(route(split(1, 2))),
            proxy(route(split(0, 3))),
            ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v1 0 %, foxtrot v2 100 %",),
            id="other-shares",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V2, CANARY), route(V1)),
            ("foxtrot/foxtrot-routes: /foxtrot with header stage: canary is new: foxtrot v2",),
            id="new-route",
        ),
        pytest.param(
            proxy(route(V2, CANARY), route(V1)),
            proxy(route(V1)),
            ("foxtrot/foxtrot-routes: /foxtrot with header stage: canary is gone",),
            id="route-gone",
        ),
        pytest.param(
            proxy(route(V2, CANARY), route(V1)),
            proxy(route(V1), route(V2, CANARY)),
            ("routes are tried in another order",),
            id="order",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1, options=ir.Options(timeout=1))),
            ("foxtrot/foxtrot-routes: /foxtrot changed in a detail, still foxtrot v1",),
            id="options",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(ir.DirectResponse(status=503))),
            ("foxtrot/foxtrot-routes: /foxtrot now status 503 without a backend",),
            id="direct-response",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1), endpoints=(endpoint(9201), endpoint(9203, "v3"))),
            ("gloo-system/foxtrot: the upstream now 127.0.0.1:9201, 127.0.0.1:9203 v3",),
            id="upstream",
        ),
        pytest.param(
            proxy(route(V1)),
            proxy(route(V1), listeners=()),
            ("gloo-system/gateway-proxy: the listener is gone",),
            id="listener",
        ),
    ],
)
def test_changes_are_told_in_words(before, after, lines):
    """Each difference has one line, which starts with the resource it comes from."""
    assert describe_changes((before,), (after,)) == lines


def test_a_resource_of_two_proxies_is_told_once():
    """What several proxies share is one change."""
    before, after = proxy(route(V1)), proxy(route(V2))

    lines = describe_changes(
        (before, replace(before, name="other")), (after, replace(after, name="other"))
    )

    assert lines == ("foxtrot/foxtrot-routes: /foxtrot now foxtrot v2",)

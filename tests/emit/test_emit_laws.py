from __future__ import annotations

import dataclasses

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from translator import ir
from translator.emit import emit


def proxy(name, numbers):
    """A proxy with endpoints of its own for each number."""
    source = ir.Source(kind="Upstream", namespace="ns", name=name)
    return ir.Proxy(
        name="p",
        listeners=(),
        route_configurations=(),
        clusters=tuple(
            ir.Cluster(
                name=f"c{number}",
                discovery=ir.EndpointDiscovery(),
                source=dataclasses.replace(source, name=f"{name}{number % 2}"),
            )
            for number in sorted(numbers)
        ),
        load_assignments=tuple(
            ir.LoadAssignment(
                cluster=f"c{number}",
                endpoints=(ir.Endpoint(address="10.0.0.1", port=80 + numbers[number]),),
            )
            for number in sorted(numbers)
        ),
    )


proxies = st.builds(
    proxy, st.sampled_from("ab"), st.dictionaries(st.integers(0, 4), st.integers(0, 2))
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(proxies, min_size=1, max_size=5))
def test_versions_do_not_remember(history):
    """However many snapshots came before, a proxy has the versions that it has from nothing."""
    made = None
    for step in history:
        made = (step, emit(step, made))

    fresh = emit(history[-1])
    snapshot = made[1]

    assert fresh == snapshot
    assert {url: dict(fresh.resources(url)) for url in fresh.types()} == {
        url: dict(snapshot.resources(url)) for url in snapshot.types()
    }

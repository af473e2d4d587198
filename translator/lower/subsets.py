"""
Whether the subsets that routes ask for have endpoints.

This is apart from the lowering of routes, which does not depend on endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from translator.ir import FallbackPolicy
from translator.lower.findings import Findings
from translator.report import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.ir import Cluster, Endpoint, Labels, Subsets
    from translator.lower.destinations import SubsetUse
    from translator.lower.findings import Finding
    from translator.resources import Key


def check_subsets(
    uses: Iterable[SubsetUse],
    clusters: Mapping[Key, Cluster],
    endpoints: Mapping[Key, tuple[Endpoint, ...]],
) -> list[Finding]:
    """
    Warn of subsets that no endpoint has; Envoy's fallback then decides, silently.

    Args:
        uses: The subsets that routes ask for.
        clusters: The upstreams.
        endpoints: The endpoints of those whose endpoints are known.
    """
    found: list[Finding] = []
    present: dict[Key, set[Labels]] = {}
    for use in uses:
        known = endpoints.get(use.upstream)
        subsets = clusters[use.upstream].subsets
        if known is None or subsets is None:
            continue
        if use.upstream not in present:
            present[use.upstream] = _subsets_of(known, subsets)
        if use.labels in present[use.upstream]:
            continue
        upstream = "/".join(use.upstream)
        wanted = " and ".join(f"'{label}: {value}'" for label, value in use.labels)
        Findings(use.place.resource, found=found).add(
            rules.EMPTY_SUBSET,
            use.place,
            f"no endpoint of upstream '{upstream}' has {wanted}",
            help=_alternatives(use.labels, present[use.upstream]),
            effect=_fallback(upstream, subsets) if known else f"'{upstream}' has no endpoint: 503",
        )
    return found


def _subsets_of(endpoints: Iterable[Endpoint], subsets: Subsets) -> set[Labels]:
    found: set[Labels] = set()
    for endpoint in endpoints:
        labels = dict(endpoint.labels)
        found.update(
            tuple((key, labels[key]) for key in selector.keys) for selector in subsets.selectors
        )
    return found


def _alternatives(wanted: Labels, present: Iterable[Labels]) -> str:
    keys = [key for key, _ in wanted]
    values = sorted(
        ", ".join(f"{key}: {value}" for key, value in labels)
        for labels in present
        if [key for key, _ in labels] == keys
    )
    return f"its endpoints have {' | '.join(values[:5])}" if values else ""


def _fallback(upstream: str, subsets: Subsets) -> str:
    match subsets.fallback:
        case FallbackPolicy.ANY_ENDPOINT:
            return f"all endpoints of '{upstream}' answer in its place"
        case FallbackPolicy.NO_FALLBACK:
            return "requests get 503"
        case FallbackPolicy.DEFAULT_SUBSET:
            default = ", ".join(f"{key}: {value}" for key, value in subsets.default)
            return f"the default subset of '{upstream}' ({default}) answers in its place"
        case _:
            assert_never(subsets.fallback)

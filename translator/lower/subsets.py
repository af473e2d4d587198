"""
Whether the subsets that routes ask for have endpoints.

This is apart from the lowering of routes, which does not depend on endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, assert_never

from translator.ir import FallbackPolicy
from translator.lower.findings import Findings
from translator.report import ResourceRef, rules
from translator.reuse import changes, same, updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translator.ir import Cluster, Endpoint, Labels, Subsets
    from translator.lower.destinations import SubsetUse
    from translator.lower.drafts import Drafts
    from translator.lower.findings import Finding, Place
    from translator.lower.upstreams import Upstreams
    from translator.resources import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetCheck:
    """Which subsets there are, and who asks for others."""

    present: Mapping[Key, frozenset[Labels]] = field(default_factory=dict)
    """The subsets that endpoints have, of the upstreams with subsets and known endpoints."""
    found: Mapping[ResourceRef, tuple[Finding, ...]] = field(default_factory=dict)
    """By whoever asks for a subset that no endpoint has; Envoy's fallback then decides, silently,
    and that is worth a warning."""


class SubsetsBefore(NamedTuple):
    """What there was before."""

    drafts: Drafts
    upstreams: Upstreams
    check: SubsetCheck


def check_subsets(drafts: Drafts, upstreams: Upstreams, before: SubsetsBefore) -> SubsetCheck:
    """
    Compare the subsets that routes and groups ask for with the endpoints.

    Args:
        drafts: Who asks.
        upstreams: The upstreams with their endpoints.
        before: What there was before. Only what may be other than it was is compared again; the
            result does not depend on it.
    """
    old = before.check
    present: dict[Key, frozenset[Labels] | None] = {}
    for key in changes(upstreams.clusters, before.upstreams.clusters) | changes(
        upstreams.endpoints, before.upstreams.endpoints
    ):
        cluster, endpoints = upstreams.clusters.get(key), upstreams.endpoints.get(key)
        present[key] = None
        if cluster is not None and cluster.subsets is not None and endpoints is not None:
            present[key] = same(_subsets_of(endpoints, cluster.subsets), old.present.get(key))
    after = updated(old.present, present)
    concerned: set[ResourceRef] = set()
    backends = {ResourceRef("Upstream", *key) for key in changes(after, old.present)}
    for kind, now, then in (
        ("RouteTable", drafts.tables, before.drafts.tables),
        ("VirtualService", drafts.services, before.drafts.services),
        ("UpstreamGroup", drafts.groups, before.drafts.groups),
    ):
        concerned |= {ResourceRef(kind, *key) for key in changes(now, then)}
        if backends:
            concerned |= {
                ResourceRef(kind, *key)
                for key, draft in now.items()
                if not draft.asked.isdisjoint(backends)
            }
    found = dict(old.found)
    for ref in concerned:
        found.pop(ref, None)
        if complaints := tuple(_compare(drafts.uses(ref), upstreams.clusters, after)):
            found[ref] = complaints
    return SubsetCheck(present=after, found=found)


def _compare(
    uses: Iterable[tuple[Place, SubsetUse]],
    clusters: Mapping[Key, Cluster],
    present: Mapping[Key, frozenset[Labels]],
) -> Iterator[Finding]:
    for place, use in uses:
        known, subsets = present.get(use.upstream), clusters[use.upstream].subsets
        if known is None or subsets is None or use.labels in known:
            continue
        upstream = "/".join(use.upstream)
        wanted = " and ".join(f"'{label}: {value}'" for label, value in use.labels)
        findings = Findings(place.resource)
        findings.add(
            rules.EMPTY_SUBSET,
            place,
            f"no endpoint of upstream '{upstream}' has {wanted}",
            help=_alternatives(use.labels, known),
            effect=_fallback(upstream, subsets) if known else f"'{upstream}' has no endpoint: 503",
        )
        yield from findings.found


def _subsets_of(endpoints: Iterable[Endpoint], subsets: Subsets) -> frozenset[Labels]:
    found: set[Labels] = set()
    for endpoint in endpoints:
        labels = dict(endpoint.labels)
        found.update(
            tuple((key, labels[key]) for key in selector.keys) for selector in subsets.selectors
        )
    return frozenset(found)


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

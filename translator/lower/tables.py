"""
The routes of one route table or virtual service, each on its own.

What is made here depends on nothing but the table and the upstreams it names, so that it holds
wherever the table is delegated to from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from translator.ir import Match, PathKind
from translator.lower import names
from translator.lower.actions import lower_action
from translator.lower.destinations import Target
from translator.lower.findings import Findings, Place
from translator.lower.matchers import ALL_PATHS, MatchDraft, lower_matcher
from translator.lower.options import UNSET, OptionsDraft, lower_options
from translator.report import rules
from translator.resources import BrokenRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translator.ir import Action
    from translator.lower.destinations import Destinations, SubsetUse
    from translator.lower.findings import Finding
    from translator.report import ResourceRef
    from translator.resources import Resource
    from translator.resources.delegation import DelegateAction
    from translator.resources.route import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDraft:
    """One route as written, before anything is known of what is above it."""

    label: str
    """Its name or place, unique in its table."""
    named: bool
    """Whether the label is a name, and so still holds when the route moves."""
    owner: ResourceRef
    """The table."""
    place: Place
    matches: tuple[MatchDraft, ...]
    """At least one; `prefix: /` if none is written."""
    bare: bool = False
    """Whether no matcher is written."""
    may_delegate: bool = False
    """Whether it delegates, and it is not known to what."""
    readable: bool = True
    """Whether the matchers could be read."""
    action: Action | None = None
    delegate: DelegateAction | None = None
    options: OptionsDraft = UNSET
    inherits_matchers: bool | None = None
    inherits_path: bool | None = None
    faults: tuple[str, ...] = ()
    """The codes of the mistakes that make the whole route invalid."""
    causes: tuple[ResourceRef, ...] = ()
    """Other resources that make some of it invalid."""
    subsets: tuple[SubsetUse, ...] = ()
    """The subsets of upstreams that it uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDraft:
    """A route table, or the routes of a virtual service."""

    resource: Resource[object]
    routes: tuple[RouteDraft, ...]
    delegating: tuple[RouteDraft, ...] = ()
    """Those routes that delegate."""
    may_delegate: bool = False
    """Whether one of the routes may delegate, and it is not known to what."""
    found: tuple[Finding, ...] = ()
    asked: frozenset[ResourceRef] = frozenset()
    """The upstreams and groups that it refers to."""
    stale: bool = False
    """Whether it is known from better times only."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the routes, by which they can be blamed."""
        return tuple(route.label for route in self.routes)

    @property
    def subsets(self) -> tuple[SubsetUse, ...]:
        """The subsets of upstreams that its routes use."""
        return tuple(use for route in self.routes for use in route.subsets)


def lower_table(
    resource: Resource[object],
    routes: Sequence[Route | BrokenRoute],
    place: Place,
    destinations: Destinations,
) -> TableDraft:
    """
    Lower the routes of a table.

    Args:
        resource: The table.
        routes: Its routes.
        place: Where they stand.
        destinations: Looks up what they refer to.
    """
    findings = Findings(resource)
    destinations.asked = set()
    labels = names.route_labels(route.name for route in routes)
    drafts = [
        _route(route, label, place.at(index), findings.on_route(label), destinations)
        for index, (route, label) in enumerate(zip(routes, labels, strict=True))
    ]
    return TableDraft(
        resource=resource,
        routes=tuple(drafts),
        delegating=tuple(draft for draft in drafts if draft.delegate is not None),
        may_delegate=any(draft.may_delegate for draft in drafts),
        found=tuple(findings.found),
        asked=frozenset(destinations.asked),
    )


def without_own_routes(table: TableDraft) -> TableDraft:
    """
    Make all routes of a table invalid, because the table is; it is known from better times.

    What it delegates belongs to other tables, whose authors did nothing wrong.
    """
    ref = table.resource.ref
    return replace(
        table,
        stale=True,
        routes=tuple(
            draft
            if draft.delegate is not None
            else replace(
                draft,
                faults=tuple(sorted({*draft.faults, rules.INVALID_ROUTE_TABLE.code})),
                causes=(ref, *draft.causes),
            )
            for draft in table.routes
        ),
    )


def _route(
    route: Route | BrokenRoute,
    label: str,
    place: Place,
    findings: Findings,
    destinations: Destinations,
) -> RouteDraft:
    owner = findings.resource.ref
    matches = tuple(
        lower_matcher(matcher, place.at("matchers", index), findings)
        for index, matcher in enumerate(route.matchers or ())
    )
    bare = not matches
    if bare:
        matches = (MatchDraft(match=Match(path=ALL_PATHS), place=place),)
    faults = {code for match in matches for code in match.faults}
    if isinstance(route, BrokenRoute):
        return RouteDraft(
            label=label,
            named=label == route.name,
            owner=owner,
            place=place,
            matches=matches,
            bare=bare,
            may_delegate=route.delegates,
            readable=route.matchers is not None,
            faults=tuple(sorted({*faults, *route.codes})),
        )
    target = Target(action=None)
    if route.delegate_action is None:
        target = lower_action(route, place, findings, destinations)
    else:
        faults.update(_check_delegating(route, place, findings, broken=bool(faults)))
    options, codes = lower_options(
        route.options,
        place.at("options"),
        findings,
        answers=route.redirect_action is not None or route.direct_response_action is not None,
    )
    faults.update(target.faults, codes)
    return RouteDraft(
        label=label,
        named=label == route.name,
        owner=owner,
        place=place,
        matches=matches,
        bare=bare,
        action=target.action,
        delegate=route.delegate_action,
        options=options,
        inherits_matchers=route.inheritable_matchers,
        inherits_path=route.inheritable_path_matchers,
        faults=tuple(sorted(faults)),
        causes=target.causes,
        subsets=target.subsets,
    )


def _check_delegating(
    route: Route, place: Place, findings: Findings, *, broken: bool
) -> tuple[str, ...]:
    """Check the matcher of a route that delegates (gloo-behaviour 3.2)."""
    if len(route.matchers) > 1:
        code = findings.add(
            rules.BAD_DELEGATION,
            place.at("matchers", 1),
            "a route that delegates has one matcher at most",
            help="write one route for each matcher",
        )
        return (code,)
    for kind in (PathKind.EXACT, PathKind.REGEX):
        # A matcher that is wrong in itself has its own finding.
        if route.matchers and getattr(route.matchers[0], kind) is not None and not broken:
            code = findings.add(
                rules.BAD_DELEGATION,
                place.at("matchers", 0, str(kind)).key,
                f"a route that delegates matches by prefix, not '{kind}'",
                help="use 'prefix', and let the routes below match more exactly",
            )
            return (code,)
    return ()

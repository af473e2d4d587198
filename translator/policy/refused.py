"""The findings on what Envoy refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translator.policy.quarantine import Subject
from translator.report import Diagnostic, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from translator.policy.quarantine import Hit
    from translator.report import ResourceRef
    from translator.resources import Index

_ROUTES = {"RouteTable": ("spec", "routes"), "VirtualService": ("spec", "virtualHost", "routes")}
_HELP = "Penstock and Envoy disagree here; change it, or send SIGHUP to have it tried once more"


def find_refused(
    hits: Iterable[Hit], index: Index, labels: Callable[[ResourceRef], Sequence[str]]
) -> Iterator[tuple[Diagnostic, tuple[ResourceRef, str]]]:
    """
    Say what Envoy refused, once for each route or resource, and what is to blame.

    Args:
        hits: What was found in the proxies.
        index: The resources as they are written now.
        labels: Gives the labels of the routes of a table.
    """
    told: set[tuple[ResourceRef, str, Subject]] = set()
    for hit in hits:
        refusal = hit.refusal
        blame = refusal.owner, hit.source.route
        if (*blame, refusal.subject) in told:
            continue
        told.add((*blame, refusal.subject))
        resource = index.find(refusal.owner)
        if resource is None:
            continue
        place: tuple[str | int, ...] = ("spec",)
        what, effect = "this", ""
        if refusal.subject is Subject.ROUTE:
            number = list(labels(refusal.owner)).index(hit.source.route)
            place = (*_ROUTES[refusal.owner.kind], number)
            what = "this route"
        elif refusal.subject is Subject.ENDPOINTS:
            what, effect = "the endpoints of this", "it goes on with the endpoints that it had"
        yield (
            Diagnostic(
                rule=rules.REFUSED_BY_ENVOY,
                resource=refusal.owner,
                position=resource.locator.value(*place),
                message=f"{refusal.by} refuses {what}: {refusal.text}",
                help=_HELP,
                effect=effect,
            ),
            blame,
        )

from __future__ import annotations

from typing import TYPE_CHECKING

from translator.report import closest, did_you_mean

if TYPE_CHECKING:
    from translator.report import ResourceRef
    from translator.resources import Index


def similar_resource(wanted: ResourceRef, index: Index) -> str:
    """
    Write the help of a finding about a reference to a resource that does not exist.

    First comes a like name in the namespace, then the same name elsewhere, then a like name
    elsewhere; empty if nothing is close.
    """
    known = [name.split("/") for name in index.names.get(wanted.kind, ())]
    here = did_you_mean(
        wanted.name, (name for namespace, name in known if namespace == wanted.namespace)
    )
    if here:
        return here
    elsewhere = [namespace for namespace, name in known if name == wanted.name]
    if elsewhere:
        return f"there is one of this name in namespace '{elsewhere[0]}'"
    best = closest(wanted.name, (name for _, name in known))
    if best is None:
        return ""
    namespace = next(namespace for namespace, name in known if name == best)
    return f"did you mean '{namespace}/{best}'?"

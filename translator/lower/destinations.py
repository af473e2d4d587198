"""Where requests go: upstreams, their subsets, and groups of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from translator import ir
from translator.lower import names
from translator.lower.findings import Findings, Place
from translator.lower.headers import lower_edits
from translator.lower.suggestions import similar_resource
from translator.report import ResourceRef, did_you_mean, rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from translator.ir import Cluster, Labels
    from translator.lower.findings import Finding, Path
    from translator.resources import Index, Key, Resource, UpstreamGroupSpec
    from translator.resources.base import Ref
    from translator.resources.destination import Destination, WeightedDestination

T = TypeVar("T")

_MAX_WEIGHT = 2**32 - 1

Codes: TypeAlias = tuple[str, ...]
Refs: TypeAlias = tuple[ResourceRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetUse:
    """A destination that restricts an upstream to a subset."""

    path: Path
    """Where it stands in the resource."""
    upstream: Key
    labels: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a route's requests go to."""

    action: ir.Action | None
    faults: Codes = ()
    """The codes of the mistakes that make all of it invalid."""
    causes: Refs = ()
    """Other resources that make some of it invalid."""
    subsets: tuple[SubsetUse, ...] = ()
    """To be compared with the endpoints, on which nothing here depends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One destination, on its own or of several."""

    destination: ir.Destination
    faults: Codes = ()
    causes: Refs = ()
    subsets: tuple[SubsetUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDraft:
    """One upstream group, lowered; it is expanded where a route refers to it."""

    resource: Resource[UpstreamGroupSpec]
    target: Target
    found: tuple[Finding, ...]
    subsets: tuple[SubsetUse, ...]
    """The subsets that it uses."""
    asked: frozenset[ResourceRef]
    """What it refers to."""


@dataclass(slots=True, kw_only=True)
class Destinations:
    """Looks up what routes refer to, and notes what was asked for."""

    index: Index
    clusters: Mapping[Key, Cluster]
    """The valid upstreams."""
    groups: Mapping[Key, GroupDraft] = field(default_factory=dict)
    asked: set[ResourceRef] = field(default_factory=set)
    """What was looked up, whether it is there or not."""
    shared: dict[object, Any] = field(default_factory=dict)
    """Equal values as one object: the routes of a table lead to the same places."""

    def lower_group(self, resource: Resource[UpstreamGroupSpec]) -> GroupDraft:
        """Lower an upstream group."""
        findings = Findings(resource)
        self.asked = set()
        place = Place(resource, ("spec", "destinations"))
        target = self.split(resource.spec.destinations, place, findings)
        causes = target.causes
        if target.faults or _has_faults(target.action):
            causes = tuple(dict.fromkeys((resource.ref, *causes)))
        return GroupDraft(
            resource=resource,
            target=Target(action=target.action, faults=target.faults, causes=causes),
            found=tuple(findings.found),
            subsets=target.subsets,
            asked=frozenset(self.asked),
        )

    def group(self, ref: Ref, place: Place, findings: Findings) -> Target:
        """Look up an upstream group."""
        namespace = ref.namespace or findings.resource.ref.namespace
        target = ResourceRef("UpstreamGroup", namespace, ref.name)
        self.asked.add(target)
        known = self.groups.get(target.key)
        if known is not None:
            return known.target
        if target in self.index.broken:
            return Target(action=None, faults=(rules.INVALID_UPSTREAM.code,), causes=(target,))
        code = findings.add(
            rules.UNKNOWN_UPSTREAM_GROUP,
            place.at("name"),
            f"upstream group '{namespace}/{ref.name}' does not exist",
            help=similar_resource(target, self.index),
        )
        return Target(action=None, faults=(code,))

    def forward(self, spec: Destination, place: Place, findings: Findings) -> Target:
        """Lower a single destination."""
        member = self._destination(spec, place, findings)
        return Target(
            action=ir.Forward(destination=member.destination),
            faults=member.faults,
            causes=member.causes,
            subsets=member.subsets,
        )

    def split(
        self, specs: Sequence[WeightedDestination], place: Place, findings: Findings
    ) -> Target:
        """Lower destinations with weights; a bad one makes only itself invalid."""
        if not specs:
            code = findings.add(rules.NO_DESTINATION, place.key, "there are no destinations")
            return Target(action=None, faults=(code,))
        faults: list[str] = []
        total = sum(spec.weight for spec in specs)
        if total == 0:
            message = "the weights sum to zero, so that no destination gets a request"
            faults.append(findings.add(rules.ZERO_WEIGHT, place.key, message))
        elif total > _MAX_WEIGHT:
            message = f"the weights sum to {total}, more than {_MAX_WEIGHT}"
            faults.append(findings.add(rules.ZERO_WEIGHT, place.key, message))
        members: list[ir.WeightedDestination] = []
        causes: dict[ResourceRef, None] = {}
        subsets: list[SubsetUse] = []
        for index, spec in enumerate(specs):
            where = place.at(index)
            member = self._destination(spec.destination, where.at("destination"), findings)
            edits = spec.options.header_manipulation if spec.options is not None else None
            headers, header_codes = lower_edits(
                edits, where.at("options", "headerManipulation"), findings
            )
            causes |= dict.fromkeys(member.causes)
            subsets += member.subsets
            members.append(
                ir.WeightedDestination(
                    destination=member.destination,
                    weight=spec.weight,
                    headers=headers,
                    faults=tuple(sorted({*member.faults, *header_codes})),
                )
            )
        return Target(
            action=ir.Split(members=tuple(members)),
            faults=tuple(faults),
            causes=tuple(causes),
            subsets=tuple(subsets),
        )

    def _destination(self, spec: Destination, place: Place, findings: Findings) -> _Member:
        name = spec.upstream.name
        namespace = spec.upstream.namespace or findings.resource.ref.namespace
        key = (namespace, name)
        values = spec.subset.values if spec.subset is not None else {}
        labels: Labels = self._shared(tuple(sorted(values.items())))
        destination = self._shared(
            ir.Destination(cluster=self._shared(names.cluster(*key)), subset=labels)
        )
        ref = ResourceRef("Upstream", namespace, name)
        self.asked.add(ref)
        cluster = self.clusters.get(key)
        if cluster is not None:
            where = place.at("subset", "values")
            codes = _check_subset(cluster, key, labels, where, findings) if labels else ()
            if not labels or codes:
                return _Member(destination=destination, faults=codes)
            use = SubsetUse(path=where.path, upstream=self._shared(key), labels=labels)
            return _Member(destination=destination, subsets=(use,))
        if key in self.index.upstreams or ref in self.index.broken:
            # The upstream has a finding of its own.
            code = rules.INVALID_UPSTREAM.code
            return _Member(destination=destination, faults=(code,), causes=(ref,))
        code = findings.add(
            rules.UNKNOWN_UPSTREAM,
            place.at("upstream", "name"),
            f"upstream '{namespace}/{name}' does not exist",
            help=similar_resource(ref, self.index),
        )
        return _Member(destination=destination, faults=(code,))

    def _shared(self, value: T) -> T:
        found: T = self.shared.setdefault(value, value)
        return found


def _check_subset(
    cluster: Cluster, key: Key, labels: Labels, place: Place, findings: Findings
) -> Codes:
    upstream = "/".join(key)
    if cluster.subsets is None:
        code = findings.add(
            rules.NO_SUBSETS,
            place,
            f"upstream '{upstream}' has no subsets",
            help=f"give it a 'subsetSpec' with a selector for {_listed(labels)}",
        )
        return (code,)
    wanted = tuple(label for label, _ in labels)
    choices = [selector.keys for selector in cluster.subsets.selectors]
    if wanted in choices:
        return ()
    listed = "; ".join(", ".join(f"'{label}'" for label in keys) for keys in choices)
    known = {label for keys in choices for label in keys}
    hints = [did_you_mean(label, known) for label in wanted if label not in known]
    code = findings.add(
        rules.UNKNOWN_SUBSET,
        place,
        f"upstream '{upstream}' has no subset selector for exactly {_listed(labels)}",
        help="; ".join([*filter(None, hints[:1]), f"its selectors: {listed}"]),
    )
    return (code,)


def _listed(labels: Labels) -> str:
    return " and ".join(f"'{label}'" for label, _ in labels)


def _has_faults(action: ir.Action | None) -> bool:
    return isinstance(action, ir.Split) and any(member.faults for member in action.members)

"""Route tables by their labels, so that a selector looks only at those that it may want."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translator.resources.delegation import SelectorOperator
from translator.reuse import updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translator.resources import Key, Resource
    from translator.resources.delegation import RouteTableSelector
    from translator.resources.specs import RouteTableSpec

_BY_VALUE = frozenset(
    {SelectorOperator.EQUALS, SelectorOperator.DOUBLE_EQUALS, SelectorOperator.IN}
)
"""The operators that only tables with one of the values fulfil."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Which tables have which labels."""

    by_label: Mapping[tuple[str, str], frozenset[Key]] = field(default_factory=dict)
    """By a label and its value."""

    def updated(
        self,
        gone: Iterable[Resource[RouteTableSpec]],
        come: Iterable[Resource[RouteTableSpec]],
    ) -> Labelled:
        """Take some tables out, and then put some in."""
        without, more = _by_label(gone), _by_label(come)
        changed = {
            label: (self.by_label.get(label, frozenset()) - without[label]) | more[label] or None
            for label in without.keys() | more.keys()
        }
        return Labelled(by_label=updated(self.by_label, changed, ordered=False))

    def may_fit(self, selector: RouteTableSelector) -> frozenset[Key] | None:
        """Return tables among which are all that a selector wants; None if it may want any."""
        wanted = [self._with(label, (value,)) for label, value in selector.labels.items()]
        wanted += [
            self._with(expression.key, expression.values)
            for expression in selector.expressions
            if expression.operator in _BY_VALUE
        ]
        return min(wanted, key=len, default=None)

    def _with(self, label: str, values: Iterable[str]) -> frozenset[Key]:
        found: frozenset[Key] = frozenset()
        for value in values:
            found |= self.by_label.get((label, value), frozenset())
        return found


def _by_label(tables: Iterable[Resource[RouteTableSpec]]) -> defaultdict[tuple[str, str], set[Key]]:
    found: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
    for table in tables:
        for label in table.labels.items():
            found[label].add(table.ref.key)
    return found

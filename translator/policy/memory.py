from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translator import ir


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMemory:
    """What has to be known of the past to decide about one proxy."""

    served: ir.Proxy
    """What it was served last."""
    whole: bool
    """Whether it was ever served entirely as written; before that there is nothing to hold."""
    good: Mapping[str, tuple[ir.Route, ...]]
    """The last good version of each route by its identity, one Envoy route for each matcher."""

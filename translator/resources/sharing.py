"""
What is written alike is read once.

Teams write the same labels, destinations and header conditions again and again, above all within
one file. Values never change after they were read, so one object can stand for all of them: that
saves memory, and the time to check it again.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import WrapValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidatorFunctionWrapHandler

_MANY = 512
"""How many values a pool holds. What is alike mostly stands close together, and files are read in
the order of their folders; so a pool may well forget."""
_LONG = 500
"""The longest text of a value that is worth looking for, in characters."""

NO_TEXTS: Mapping[str, str] = MappingProxyType({})
"""No labels, and no other mapping of texts."""


def shared() -> WrapValidator:
    """Let a type of a field give the same object for values that are written alike."""
    pool: dict[str, object] = {}

    def read(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        # `repr` tells apart all that the parser gives (1, True, '1' and each surprise) and is the
        # cheapest key for a tree of dicts and lists, which have no hash.
        key = repr(value)
        known = pool.get(key)
        if known is None:
            known = handler(value)
            if len(key) <= _LONG:
                if len(pool) >= _MANY:
                    pool.clear()
                pool[key] = known
        return known

    return WrapValidator(read)

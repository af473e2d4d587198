"""What the options of all commands have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["config_argument", "has_colours", "option"]

config_argument = click.argument(
    "config", type=click.Path(path_type=Path), default="config", envvar="PENSTOCK_CONFIG"
)
"""The resources that a command is about."""


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare an option that has an environment variable, named like it unless one is given."""
    longest = max(names, key=len)
    variable = "PENSTOCK_" + longest.removeprefix("--").replace("-", "_").upper()
    settings.setdefault("envvar", variable)
    settings.setdefault("show_default", True)
    return click.option(*names, show_envvar=True, **settings)


def has_colours(stream: TextIO) -> bool:
    """Tell whether to write colours; see https://no-color.org."""
    # Any value but an empty one switches colours off.
    no_color, term = os.environ.get("NO_COLOR"), os.environ.get("TERM")
    return stream.isatty() and not no_color and term != "dumb"

"""
The program around the translator and the protocol library.

In: a source of resources, command line options and signals. Out: served snapshots, logs, metrics,
reports and exit codes. This is where files, sockets, clocks and processes are: `translator` and
`xds` have none of them to themselves, and may not import `penstock`.
"""

from __future__ import annotations

import functools

__all__ = ["version"]


@functools.cache
def version() -> str:
    """Return the version of the installed distribution."""
    from importlib import metadata  # noqa: PLC0415 (30 ms that most commands can do without)

    try:
        return metadata.version("penstock")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0+source"

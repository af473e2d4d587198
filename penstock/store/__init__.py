"""
What was served last, kept on disk for the next start.

In: the snapshots that are served, what Envoys said to them, and what the translator must know of
the past. Out: the same values, in another process. A state directory has a `manifest` that names
objects, each a file called by the hash of its content, so that a save writes only what changed:

    <directory>/lock            held by the process that uses the directory
    <directory>/manifest        what there is, with a checksum
    <directory>/objects/<hash>  what the manifest names

What did not change since the save before is expected to be the same Python object, and is not
looked at (`comparing`, `recent`). The rest is divided into named values: resources and pieces of
their bodies (`records`, `pieces`), texts, clusters, endpoints and the routes of one table (`texts`,
`proxies`), verdicts (`testimony`). Several values share an object (`packs`), so that there are some
thousand files at most, and yet an edit writes little. Which objects there are depends on what is
saved alone, and not on what was saved before.

Whatever interrupts a save, the manifest is the old one or the new one, and everything that it
names is there. What is damaged all the same is told, and not used. The only part of the program
that writes files; it knows no event loop, logs nothing and serves nothing.
"""

from penstock.store.packing import Checkpoint, Facts
from penstock.store.store import LastGood, Recalled, Store
from penstock.store.testimony import VerdictRecord, plain_refusals, read_refusals

__all__ = [
    "Checkpoint",
    "Facts",
    "LastGood",
    "Recalled",
    "Store",
    "VerdictRecord",
    "plain_refusals",
    "read_refusals",
]

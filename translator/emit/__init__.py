"""
From the IR to what goes on the wire.

In: the IR of a proxy. Out: its snapshot, Envoy's resources as deterministic bytes. The only part
of the translator that knows Envoy's messages; it decides nothing and reports nothing.
"""

from translator.emit.snapshot import emit
from translator.emit.trial import TRIAL_DOMAIN, trial

__all__ = ["TRIAL_DOMAIN", "emit", "trial"]

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

LONG = int(os.environ.get("PENSTOCK_ISOLATION_CASES", "0"))
"""How many cases each law is tried on; set by `make isolation`."""

settings.register_profile(
    "isolation",
    max_examples=LONG or 200,
    deadline=None,
    derandomize=not LONG,
    database=None,
    # A case takes a tenth of a second, so that to shrink one takes minutes; what was done to the
    # files is printed instead.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

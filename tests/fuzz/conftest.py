from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

CASES = int(os.environ.get("PENSTOCK_FUZZ_CASES", "0"))
"""How many inputs are made up; set by `make fuzz`."""

settings.register_profile(
    "fuzz",
    max_examples=CASES or 500,
    deadline=None,
    derandomize=not CASES,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink) if CASES else (Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

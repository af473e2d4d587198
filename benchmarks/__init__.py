"""
What Penstock costs, in ratios to what cannot be avoided; `python -m benchmarks` runs it.

A real Envoy, clients and servers to measure against are those of the tests, so the folders in
which those are found are put on the path.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

for _folder in (ROOT / "tests", ROOT / "tests" / "load"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

# Every client that leaves with its server would be a line on the terminal otherwise.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

"""What no control plane written in Python can avoid, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PARSE = """
import sys, time
from pathlib import Path
import yaml
texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).rglob("*.yaml"))]
began = time.process_time()
for text in texts:
    for _ in yaml.load_all(text, yaml.CSafeLoader):
        pass
print(time.process_time() - began)
"""


def parse_in_process(folder: Path) -> float:
    """
    Return the CPU seconds that PyYAML's C parse of all files takes in a fresh process.

    Nothing is kept of what it makes, so that no garbage collector looks at it again and again.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, folder], check=True, capture_output=True, text=True
    )
    return float(done.stdout)

from __future__ import annotations

import pytest
from crash import campaign


@pytest.mark.slow
def test_a_kill_loses_nothing(tmp_path):
    """A few kills at random moments; `make crash` does many."""
    done = campaign.run(tmp_path, kills=15, seed=20, seconds=50)

    assert done["kills"] >= 3

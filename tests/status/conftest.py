from __future__ import annotations

import pytest
from support.control_plane import ControlPlane
from support.files import save
from two_teams import APP, TABLE, wait_for


@pytest.fixture
def config(tmp_path):
    config = tmp_path / "config"
    save(config / "gateway" / "app.yaml", APP)
    for team in ("echo", "foxtrot"):
        save(config / team / "routes.yaml", TABLE.format(team=team, status=200))
    return config


@pytest.fixture
def server(config, tmp_path):
    with ControlPlane(config, tmp_path) as server:
        wait_for(server, "reload_finished")
        yield server

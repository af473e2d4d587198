from __future__ import annotations

from contextlib import ExitStack

import pytest
from grpc_story import Stage
from support.grpc_client import GrpcBackend


@pytest.fixture
def stage(tmp_path):
    with ExitStack() as stack:
        yield Stage(
            tmp_path,
            {
                name: stack.enter_context(GrpcBackend(name))
                for name in ("echo v1", "echo v2", "foxtrot v1", "foxtrot v2")
            },
        )

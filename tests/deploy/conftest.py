"""A server started from the files of deploy/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.redis_server import free_port, started_redis


@pytest.fixture(scope="module")
def address(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with started_redis(tmp_path_factory.mktemp("redis"), free_port(), server=server) as started:
        yield started

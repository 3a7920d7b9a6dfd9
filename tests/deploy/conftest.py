"""A server started from the files of deploy/, and a deployment with the rights that they give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.redis_server import PASSWORD, USER, free_port, started_redis
from service.deployment import Deployment


@pytest.fixture(scope="module")
def address(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with started_redis(tmp_path_factory.mktemp("redis"), free_port(), server=server) as started:
        yield started


@pytest.fixture
def deployment(address: str, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path, f"redis://{USER}:{PASSWORD}@{address}") as started:
        yield started

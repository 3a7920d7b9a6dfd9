"""What Redis knows of workers that have died."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import WORKER_TROUBLES
from virnucpro_tasks.queue import worker_troubles
from virnucpro_tasks.queue.worker_troubles import clear_trouble, fresh_troubles, record_trouble

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> Any:
    return redis.Redis(unix_socket_path=str(broker.socket))


def died(client: Any, node: str, queue: str) -> None:
    record_trouble(client, node=node, queue=queue, text="was killed by SIGKILL", hint="more memory")


def test_the_last_death_of_each_worker_is_told_with_its_age(client: Any) -> None:
    assert fresh_troubles(client) == []
    died(client, "embed-gpu0@a", "gpu-1")
    died(client, "embed-gpu0@a", "gpu-1")
    died(client, "coordinate-0@a", "")
    died(client, "embed-gpu0@b", "gpu-2")
    assert len(fresh_troubles(client)) == 3
    ours = fresh_troubles(client, ["gpu-1"])
    assert ours == [
        "worker coordinate-0@a, 0 s ago: was killed by SIGKILL (more memory)",
        "worker embed-gpu0@a, 0 s ago: was killed by SIGKILL (more memory)",
    ]
    assert 0 < client.ttl(WORKER_TROUBLES) <= worker_troubles.KEPT_SECONDS


def test_a_worker_that_works_again_and_an_old_death_are_not_told(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    died(client, "embed-gpu0@a", "gpu-1")
    clear_trouble(client, "embed-gpu0@a")
    assert fresh_troubles(client) == []
    died(client, "embed-gpu0@a", "gpu-1")
    client.hset(WORKER_TROUBLES, "embed-gpu1@a", b"nonsense")
    monkeypatch.setattr(worker_troubles, "FRESH_SECONDS", -1)
    assert fresh_troubles(client) == []

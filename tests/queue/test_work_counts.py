from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import WORKERS_COUNTED, work_counts
from virnucpro_tasks.queue.shard_shares import ShareWriter
from virnucpro_tasks.queue.work_counts import (
    KEPT_SECONDS,
    REFUSED,
    WorkCounts,
    all_work_counts,
    count_death,
    count_shard,
)

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> Any:
    return redis.Redis(unix_socket_path=str(broker.socket))


def soon(client: Any, worker: str, tasks: int) -> WorkCounts:
    """The counts of a worker, once they are of so many tasks: a thread writes them."""
    deadline = time.monotonic() + 30
    while (found := all_work_counts(client).get(worker, WorkCounts())).tasks < tasks:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def test_the_shards_of_a_worker_are_counted_by_their_end(client: Any) -> None:
    writer = ShareWriter(client, seconds=0.01)
    for end, tokens in (("embedded", 10), ("embedded", 20), ("failed", 0)):
        with writer.writing("job", 1, worker="one") as told:
            told.end, told.counts = end, {"tokens": tokens, "capacity": 2 * tokens}
    with pytest.raises(RuntimeError), writer.writing("job", 2, worker="two"):
        raise RuntimeError
    found = soon(client, "one", 3)
    assert found.shards == {"embedded": 2, "failed": 1}
    assert (found.tokens, found.capacity) == (30, 60)
    assert found.seconds >= 0
    assert soon(client, "two", 1).shards == {REFUSED: 1}
    assert 0 < client.ttl(work_counts("one")) <= KEPT_SECONDS


def test_a_worker_without_counts_is_forgotten_and_what_is_no_number_is_left_out(client: Any) -> None:
    count_shard(client, "one", end="embedded", seconds=1, counts={})
    count_shard(client, "", end="embedded", seconds=1, counts={})
    client.hset(work_counts("one"), mapping={"tokens": "many", "shards.x": "y"})
    client.sadd(WORKERS_COUNTED, "gone")
    count_death(client, "one")
    assert all_work_counts(client) == {"one": WorkCounts({"embedded": 1}, 1.0, deaths=1)}
    assert client.smembers(WORKERS_COUNTED) == {b"one"}

from __future__ import annotations

from typing import Any

import pytest
import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import WORKERS_COUNTED, work_counts
from virnucpro_tasks.queue.work_counts import KEPT_SECONDS, REFUSED, all_work_counts, counted_shard

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> Any:
    return redis.Redis(unix_socket_path=str(broker.socket))


def test_the_shards_of_a_worker_are_counted_by_their_end(client: Any) -> None:
    for end, tokens in (("embedded", 10), ("embedded", 20), ("failed", 0)):
        with counted_shard(client, "one") as counter:
            counter.end, counter.counts = end, {"tokens": tokens, "capacity": 2 * tokens}
    with pytest.raises(RuntimeError), counted_shard(client, "two"):
        raise RuntimeError
    found = all_work_counts(client)
    assert found["one"].shards == {"embedded": 2, "failed": 1}
    assert (found["one"].tokens, found["one"].capacity, found["one"].tasks) == (30, 60, 3)
    assert found["one"].seconds >= 0
    assert found["two"].shards == {REFUSED: 1}
    assert 0 < client.ttl(work_counts("one")) <= KEPT_SECONDS


def test_a_worker_without_counts_is_forgotten_and_what_is_no_number_is_left_out(client: Any) -> None:
    with counted_shard(client, "one") as counter:
        counter.end = "embedded"
    client.hset(work_counts("one"), mapping={"tokens": "many", "shards.x": "y"})
    client.sadd(WORKERS_COUNTED, "gone")
    assert {name: (one.shards, one.tokens) for name, one in all_work_counts(client).items()} == {
        "one": ({"embedded": 1}, 0)
    }
    assert client.smembers(WORKERS_COUNTED) == {b"one"}


def test_without_redis_the_work_goes_on() -> None:
    with counted_shard(redis.Redis(port=1), "one") as counter:
        counter.end = "embedded"

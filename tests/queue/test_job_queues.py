"""The queues of jobs on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import LIVE_QUEUES, gpu_queue, job_queue, priority_lists, waiting_gauge
from virnucpro_tasks.queue.job_queues import announce, announcing, empty, live_queues, sweep

pytestmark = pytest.mark.service

ONE, OTHER = "1" * 64, "2" * 64
BUILD = "0123456789"
QUEUE = job_queue(ONE, BUILD, "a", 6, "job")


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


def test_a_worker_finds_the_queues_of_its_bundle(client: redis.Redis) -> None:
    announce(client, [])
    assert live_queues(client, gpu_queue(ONE, BUILD)) == set()
    announce(client, [QUEUE, job_queue(OTHER, BUILD, "a", 6, "job")])
    assert live_queues(client, gpu_queue(ONE, BUILD)) == {QUEUE}


def test_a_queue_is_announced_before_the_first_shard_is_put_into_it(client: redis.Redis) -> None:
    items = announcing(client, QUEUE, range(3))
    assert live_queues(client, gpu_queue(ONE, BUILD)) == set()
    assert next(items) == 0
    assert live_queues(client, gpu_queue(ONE, BUILD)) == {QUEUE}
    assert list(items) == [1, 2]


def test_emptying_takes_all_priorities_and_nothing_else(client: redis.Redis) -> None:
    for name in priority_lists(QUEUE):
        client.rpush(name, "x", "y")
    client.rpush(job_queue(ONE, BUILD, "a", 6, "other"), "kept")
    assert empty(client, QUEUE) == 8
    assert empty(client, QUEUE) == 0
    assert client.llen(job_queue(ONE, BUILD, "a", 6, "other")) == 1


def test_the_gauge_has_one_entry_per_waiting_shard(client: redis.Redis) -> None:
    gauge = waiting_gauge(ONE, BUILD)
    for waiting in (2_500, 3, 0, 7):
        client.delete(QUEUE)
        for number in range(waiting):
            client.rpush(priority_lists(QUEUE)[number % 4], "x")
        announce(client, [QUEUE, job_queue(ONE, BUILD, "b", 6, "job")])
        assert sweep(client, quiet_seconds=60) == {gpu_queue(ONE, BUILD): waiting}
        assert client.llen(gauge) == waiting
        empty(client, QUEUE)


def test_a_queue_is_removed_when_it_is_empty_and_no_longer_announced(client: redis.Redis) -> None:
    full, quiet, fresh = (job_queue(ONE, BUILD, "a", 6, name) for name in ("full", "quiet", "fresh"))
    announce(client, [full, quiet, fresh])
    client.rpush(priority_lists(full)[2], "x")
    for name in (full, quiet):
        client.zincrby(LIVE_QUEUES, -100, name)
    assert sweep(client, quiet_seconds=60) == {gpu_queue(ONE, BUILD): 1}
    assert live_queues(client, gpu_queue(ONE, BUILD)) == {full, fresh}
    assert sweep(client, quiet_seconds=float("inf")) == {gpu_queue(ONE, BUILD): 1}


def test_the_gauge_of_a_bundle_without_jobs_goes_with_its_last_queue(client: redis.Redis) -> None:
    announce(client, [QUEUE])
    client.rpush(QUEUE, "x")
    sweep(client, quiet_seconds=60)
    empty(client, QUEUE)
    client.zincrby(LIVE_QUEUES, -100, QUEUE)
    sweep(client, quiet_seconds=60)
    assert client.keys("*") == []

"""Jobs with a message, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import (
    COORDINATOR_QUEUES,
    LIVE_QUEUES,
    PRIORITY_STEPS,
    UNACKED,
    coordinator_queues,
    priority_lists,
)
from virnucpro_tasks.queue.messages import has_messages, jobs_with_messages
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

PLACES = [(place, step) for place in range(len(COORDINATOR_QUEUES)) for step in range(len(PRIORITY_STEPS))]


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def message(job: Job) -> str:
    return json.dumps({"body": "encoded", "headers": {"argsrepr": f"('{job.job_id}',)"}})


@pytest.mark.parametrize(("place", "step"), PLACES)
def test_a_message_in_any_list_of_a_coordinator_queue_counts(
    client: redis.Redis, job: Job, place: int, step: int
) -> None:
    name = priority_lists(coordinator_queues(own_build())[place])[step]
    assert not has_messages(client, job)
    client.rpush(name, message(job))
    assert has_messages(client, job)


def test_a_taken_message_counts_until_it_is_acknowledged(client: redis.Redis, job: Job) -> None:
    client.hset(UNACKED, "tag", json.dumps([message(job), "", "cpu"]))
    assert jobs_with_messages(client, [own_build()]) == {job.job_id}
    client.hdel(UNACKED, "tag")
    assert jobs_with_messages(client, [own_build()]) == set()


def test_a_queue_with_shards_that_is_not_announced_is_announced_again(client: redis.Redis, job: Job) -> None:
    client.rpush(job.queue, "a shard")
    assert jobs_with_messages(client, [own_build()]) == set()
    assert has_messages(client, job)
    assert client.zrange(LIVE_QUEUES, 0, -1) == [job.queue.encode()]
    assert jobs_with_messages(client, [own_build()]) == {job.job_id}

"""Failures to write to the store, counted on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.keys import STORE_FAILURES, UNACKED
from virnucpro_tasks.queue import store_failures
from virnucpro_tasks.queue.store_failures import (
    Failing,
    all_store_failures,
    clear_store_failures,
    count_store_failure,
    ended_jobs,
    store_failure_of,
)
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


LIMIT_SECONDS = 600.0


@pytest.fixture
def client(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(store_failures.time, "sleep", lambda _: None)
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


@pytest.fixture
def clock(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seconds of Redis's clock, which only the test moves."""
    now = [1_000]
    monkeypatch.setattr(client, "time", lambda: (now[0], 0))
    return now


FULL = StoreError("the store fails: no space left", hint="make room")


def fail(client: redis.Redis, job: Job, worker: str = "here 1", *, one_shot: bool = False) -> bool:
    return count_store_failure(
        client, Failing(job.job_id, job, worker), FULL, limit_seconds=LIMIT_SECONDS, one_shot=one_shot
    )


def fail_until_the_last_time(client: redis.Redis, job: Job, clock: list[int]) -> None:
    for worker in range(12):
        assert not fail(client, job, f"here {worker}")
    for _ in range(int(LIMIT_SECONDS) // 100 - 1):
        clock[0] += 100
        assert not fail(client, job)
    clock[0] += 100


def test_the_job_ends_when_the_store_has_failed_for_the_limit(client: redis.Redis, job: Job, clock: list[int]) -> None:
    fail_until_the_last_time(client, job, clock)
    client.rpush(job.queue, "a shard")
    assert fail(client, job)
    progress = job_progress(job)
    assert progress.state == "failed" and "no space left" in progress.message
    assert "18 times in a row in 600 s by 12 workers: make room; then 'virnucpro resume" in progress.message
    assert client.llen(job.queue) == 0
    assert store_failure_of(client, job) is None


def test_a_worker_that_has_not_failed_and_holds_a_shard_keeps_the_job_alive(
    client: redis.Redis, job: Job, clock: list[int]
) -> None:
    fail_until_the_last_time(client, job, clock)
    for tag in range(13):
        client.hset(UNACKED, str(tag), f"a message of {job.job_id}")
    assert not fail(client, job)
    client.hdel(UNACKED, "0")
    assert fail(client, job)


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders of jobs take no note."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(store_failures, "fail_job", refuse)


def test_a_job_whose_folder_cannot_say_that_it_has_failed_waits_for_the_store(
    client: redis.Redis, job: Job, clock: list[int], unwritable: None
) -> None:
    fail_until_the_last_time(client, job, clock)
    client.rpush(job.queue, "a shard")
    assert not fail(client, job)
    assert ended_jobs(client) == set() and client.llen(job.queue) == 1
    failure = store_failure_of(client, job)
    assert failure is not None and not failure.ended
    assert "make room; the job goes on when the store can be used" in failure.message


def test_in_a_one_shot_run_redis_says_it(client: redis.Redis, job: Job, clock: list[int], unwritable: None) -> None:
    client.rpush(job.queue, "a shard")
    for _ in range(2):
        assert not fail(client, job, one_shot=True)
        clock[0] += 1
    assert not fail(client, job, "another", one_shot=True)
    assert fail(client, job, one_shot=True)
    assert ended_jobs(client) == {job.job_id} and client.llen(job.queue) == 0
    failure = store_failure_of(client, job)
    assert failure is not None and failure.ended and "make room; then repeat the command" in failure.message
    clear_store_failures(client, job.job_id)
    assert all_store_failures(client) == {}


def test_a_success_starts_the_count_anew(client: redis.Redis, job: Job, clock: list[int]) -> None:
    fail_until_the_last_time(client, job, clock)
    assert all_store_failures(client).keys() == {job.job_id}
    clear_store_failures(client, job.job_id)
    assert store_failure_of(client, job) is None
    assert not fail(client, job)


def test_what_cannot_be_read_counts_as_none(client: redis.Redis, job: Job) -> None:
    client.hset(STORE_FAILURES, job.job_id, "7")
    assert store_failure_of(client, job) is None and all_store_failures(client) == {}
    assert not fail(client, job)
    assert store_failure_of(client, job) is not None


def test_many_workers_that_fail_at_once_are_all_counted(client: redis.Redis, job: Job) -> None:
    with ThreadPoolExecutor(32) as threads:
        assert not any(threads.map(lambda worker: fail(client, job, f"here {worker}"), range(32)))
    failure = store_failure_of(client, job)
    assert failure is not None and "32 times in a row" in failure.message and "by 32 workers" in failure.message

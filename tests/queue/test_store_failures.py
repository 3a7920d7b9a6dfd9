"""Failures to write to the store, counted on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.queue import store_failures
from virnucpro_tasks.queue.store_failures import (
    STORE_FAILURES_AN_ATTEMPT,
    all_store_failures,
    clear_store_failures,
    count_store_failure,
    ended_jobs,
    store_failure_of,
)
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(store_failures, "PAUSE_SECONDS", 0)
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def fail(client: redis.Redis, job: Job) -> bool:
    return count_store_failure(client, job, StoreError("the store fails: no space left", hint="make room"))


def fail_until_the_last_time(client: redis.Redis, job: Job) -> None:
    for _ in range(STORE_FAILURES_AN_ATTEMPT * job.spec.parameters.max_attempts - 1):
        assert not fail(client, job)


def test_the_job_ends_after_too_many_failures_in_a_row(client: redis.Redis, job: Job) -> None:
    fail_until_the_last_time(client, job)
    assert not ended_jobs(client)
    client.rpush(job.queue, "a shard")
    assert fail(client, job)
    progress = job_progress(job)
    assert progress.state == "failed" and "no space left" in progress.message
    assert client.llen(job.queue) == 0
    assert store_failure_of(client, job) is None


def test_if_the_folder_cannot_record_the_end_redis_does(
    client: redis.Redis, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(store_failures, "fail_job", refuse)
    fail_until_the_last_time(client, job)
    assert fail(client, job)
    assert ended_jobs(client) == {job.job_id}
    failure = store_failure_of(client, job)
    assert failure is not None and failure.ended and "make room" in failure.message
    clear_store_failures(client, job)
    assert all_store_failures(client) == {}


def test_a_success_starts_the_count_anew(client: redis.Redis, job: Job) -> None:
    fail_until_the_last_time(client, job)
    assert all_store_failures(client).keys() == {job.job_id}
    clear_store_failures(client, job)
    assert store_failure_of(client, job) is None
    fail_until_the_last_time(client, job)

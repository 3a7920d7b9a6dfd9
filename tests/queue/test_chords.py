"""What a job leaves in Redis: nothing, once it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis
from celery.app.task import Context
from job import SAMPLE, make_job
from virnucpro_workers.consumer.lost_jobs import LostJobFinder

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job, cancel_job, remove_job
from virnucpro_tasks.keys import CHORD_DAYS, CHORDS, RESULT_SECONDS, shard_shares
from virnucpro_tasks.queue import tasks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.chords import OVER_SECONDS, jobs_with_chords, retire_chords
from virnucpro_tasks.queue.client import drop_waiting
from virnucpro_tasks.queue.job_queues import entity
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

SHARDS = 20


@pytest.fixture
def app(broker: EmbeddedBroker, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirnucproApp]:
    monkeypatch.setattr(tasks, "split_files", lambda _: iter(range(SHARDS)))
    app = make_app(replace(settings, broker_url=broker.url))
    yield app
    app.close()


@pytest.fixture
def client(app: VirnucproApp) -> redis.Redis:
    return app.backend.client


@pytest.fixture
def job(app: VirnucproApp) -> Job:
    """A job whose shards are queued."""
    job = make_job(app.settings, SAMPLE)
    app.tasks["virnucpro.split_job"](job.job_id)
    return job


@dataclass(frozen=True, slots=True)
class Taken:
    """A shard's message that a worker has taken."""

    app: VirnucproApp
    headers: dict[str, Any]
    arguments: list[Any]
    chord: dict[str, Any]

    def end(self) -> None:
        """Do what Celery does when the task has returned; nothing is computed."""
        request = Context(self.headers, chord=self.chord, args=self.arguments)
        self.app.backend.mark_as_done(self.headers["id"], {"shard": self.arguments[1]}, request=request)


def take(app: VirnucproApp, job: Job, shards: int) -> list[Taken]:
    """Take so many messages out of the job's queue."""
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(entity(job.queue))
        found = []
        for _ in range(shards):
            message = queue.get(block=False)
            arguments, _, embedded = message.payload
            found.append(Taken(app, message.headers, arguments, embedded["chord"]))
            message.ack()
        return found


def end_some(app: VirnucproApp, job: Job, shards: int) -> None:
    for taken in take(app, job, shards):
        taken.end()


def chord_keys(client: redis.Redis) -> list[bytes]:
    """The keys of Celery's chords, but for those that say that one is over."""
    return [key for key in client.keys("celery-taskset-meta-*") if not key.endswith(b".c")]


def test_a_chord_is_registered_under_the_id_that_celery_uses(client: redis.Redis, job: Job) -> None:
    (group_id,) = client.hkeys(CHORDS)
    assert client.get(b"celery-taskset-meta-" + group_id + b".s") == str(SHARDS).encode()
    assert jobs_with_chords(client) == {job.job_id}


def test_celery_removes_the_counters_when_all_shards_are_done_and_results_soon_expire(
    app: VirnucproApp, client: redis.Redis, job: Job
) -> None:
    end_some(app, job, SHARDS)
    assert chord_keys(client) == []
    results = client.keys("celery-task-meta-*")
    assert len(results) == SHARDS
    assert all(0 < client.ttl(key) <= RESULT_SECONDS for key in results)


def over_by_client(app: VirnucproApp, job: Job) -> None:
    cancel_job(job)
    assert drop_waiting(app, job) == SHARDS - 4


def over_by_watchdog(app: VirnucproApp, job: Job) -> None:
    cancel_job(job)
    LostJobFinder(app.settings.store).poll(app, app.backend.client)


def removed(app: VirnucproApp, job: Job) -> None:
    remove_job(job, force=True)
    LostJobFinder(app.settings.store).poll(app, app.backend.client)


@pytest.mark.parametrize("end", [over_by_client, over_by_watchdog, removed])
def test_what_a_job_has_in_redis_goes_with_it(
    app: VirnucproApp, client: redis.Redis, job: Job, end: Callable[[VirnucproApp, Job], None]
) -> None:
    # Given a job of which some shards are done, and one is being computed
    end_some(app, job, 3)
    (under_way,) = take(app, job, 1)
    assert len(chord_keys(client)) == 3
    client.hset(shard_shares(job.job_id), 3, "0.5")
    # When it is over, and that one ends afterwards
    end(app, job)
    assert chord_keys(client) == [] and not client.exists(CHORDS, shard_shares(job.job_id))
    under_way.end()
    # Then nothing of it stays
    assert chord_keys(client) == []
    left = {key: client.ttl(key) for key in client.keys("celery-*")}
    assert left and all(0 < seconds <= OVER_SECONDS for seconds in left.values())


def test_other_jobs_keep_theirs(app: VirnucproApp, client: redis.Redis, job: Job) -> None:
    other = make_job(app.settings, SAMPLE)
    app.tasks["virnucpro.split_job"](other.job_id)
    assert retire_chords(app, job.job_id) == 1 and retire_chords(app, job.job_id) == 0
    assert jobs_with_chords(client) == {other.job_id}
    LostJobFinder(app.settings.store).poll(app, client)
    assert jobs_with_chords(client) == {other.job_id} and len(chord_keys(client)) == 1
    assert client.ttl(chord_keys(client)[0]) > (CHORD_DAYS - 1) * 86_400

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from cli.snapshots import split, unsplit
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.job import Job, cancel_job
from virnucpro_tasks.jobs.progress import JobState, job_progress
from virnucpro_tasks.keys import CPU_QUEUE, UNACKED, coordinator_queue, priority_lists, shard_shares
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue import client as module
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.client import enqueue, not_behind, requeue_if_lost, snapshot, wait_for, workers
from virnucpro_tasks.queue.job_queues import announce
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.queue.redis_checks import check_reachable
from virnucpro_tasks.settings import Settings

SMALL_QUEUE = coordinator_queue(0, own_build())
UNREACHABLE = "redis://:secret@127.0.0.1:1/0"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


@pytest.fixture
def app(settings: Settings, broker: EmbeddedBroker) -> Iterator[VirnucproApp]:
    app = make_app(replace(settings, broker_url=broker.url))
    yield app
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushall()
    app.close()


def queued(app: VirnucproApp) -> list[tuple[str, Any]]:
    """Names and arguments of all messages in the cpu queue, whatever their priority; takes them out."""
    found = []
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        for key in client.keys(f"{CPU_QUEUE}*"):
            for message in map(json.loads, client.lrange(key, 0, -1)):
                body = json.loads(base64.b64decode(message["body"]))
                found.append((message["headers"]["task"], body[0]))
            client.delete(key)
    return found


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


@pytest.mark.service
def test_the_next_step_is_splitting_and_once_that_is_done_finishing(app: VirnucproApp, job: Job) -> None:
    enqueue(app, job)
    assert queued(app) == [("virnucpro.split_job", [job.job_id])]
    list(split_files(job))
    enqueue(app, job)
    assert queued(app) == [("virnucpro.finish_job", [job.job_id])]


def test_an_unreachable_redis_is_named_without_its_password(settings: Settings, job: Job) -> None:
    app = make_app(replace(settings, broker_url=UNREACHABLE))
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1") as raised:
        check_reachable(app)
    assert "secret" not in str(raised.value)
    assert not requeue_if_lost(app, job)


class Clock:
    """A clock that advances with every call."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_waiting_ends_with_the_last_state(app: VirnucproApp, job: Job, settings: Settings) -> None:
    waiting = wait_for(app, job, lease_seconds=60, poll_seconds=0)
    assert next(waiting).state == "queued"
    run_job(job, settings)
    assert [progress.state for progress in waiting] == ["done"]


def test_the_end_of_a_job_is_seen_between_two_snapshots(app: VirnucproApp, job: Job) -> None:
    waiting = wait_for(app, job, lease_seconds=60, poll_seconds=300, glance_seconds=0.01)
    assert next(waiting).state == "queued"
    cancel_job(job)
    began = time.monotonic()
    assert [progress.state for progress in waiting] == ["cancelled"]
    assert time.monotonic() - began < 30


def taken_by_a_worker(app: VirnucproApp, job: Job) -> None:
    """The job's message is where kombu keeps those that were taken and not acknowledged."""
    enqueue(app, job)
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        (key,) = client.keys(f"{SMALL_QUEUE}*")
        client.hset(UNACKED, "tag", json.dumps([json.loads(client.rpop(key)), "", SMALL_QUEUE]))


def its_shards_wait(app: VirnucproApp, job: Job) -> None:
    queue = job.queue
    with app.connection_for_write() as connection:
        connection.default_channel.client.lpush(priority_lists(queue)[2], "a shard")


@pytest.mark.service
@pytest.mark.parametrize("where", [enqueue, taken_by_a_worker, its_shards_wait, None])
def test_a_job_that_stands_still_is_queued_again_only_if_redis_has_lost_it(
    app: VirnucproApp,
    job: Job,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    where: Callable[[VirnucproApp, Job], None] | None,
) -> None:
    # Given a job that does not move, and messages of another one
    taken_by_a_worker(app, make_job(settings, SAMPLE))
    if where is not None:
        where(app, job)
    again: list[Job] = []
    monkeypatch.setattr(module, "enqueue", lambda app, job: again.append(job))
    # When somebody waits for it
    waiting = wait_for(app, job, lease_seconds=10, poll_seconds=0, clock=Clock(5))
    for _ in range(10):
        next(waiting)
    # Then it is queued again unless it has a message
    assert again == ([job] if where is None else [])
    cancel_job(job)
    assert [progress.state for progress in waiting] == ["cancelled"]


@pytest.mark.service
def test_the_jobs_of_a_redis_are_named_by_their_messages(app: VirnucproApp, settings: Settings) -> None:
    jobs = [make_job(settings, SAMPLE) for _ in range(4)]
    enqueue(app, jobs[0])
    taken_by_a_worker(app, jobs[1])
    queue = jobs[2].queue
    with app.connection_for_write() as connection:
        client = connection.default_channel.client
        announce(client, [queue])
        assert jobs_with_messages(client, [own_build()]) == {jobs[0].job_id, jobs[1].job_id}
        its_shards_wait(app, jobs[2])
        assert jobs_with_messages(client, [own_build()]) == {job.job_id for job in jobs[:3]}


def test_tokens_that_were_counted_stay_counted_unless_a_finished_shard_is_lost() -> None:
    earlier = split(JobState.EMBEDDING, shards_done=3, tokens_done=500)
    assert not_behind(split(JobState.EMBEDDING, shards_done=3, tokens_done=400), earlier).tokens_done == 500
    assert not_behind(split(JobState.EMBEDDING, shards_done=4, tokens_done=600), earlier).tokens_done == 600
    assert not_behind(split(JobState.EMBEDDING, shards_done=2, tokens_done=400), earlier).tokens_done == 400
    assert not_behind(unsplit(JobState.SPLITTING), earlier).tokens_done is None
    assert not_behind(earlier, unsplit(JobState.SPLITTING)) == earlier


@pytest.mark.service
def test_a_snapshot_counts_the_shards_under_way(app: VirnucproApp, job: Job) -> None:
    list(split_files(job))
    assert snapshot(app, job).tokens_done == 0
    app.backend.client.hset(shard_shares(job.job_id), "0", "0.5")
    found = snapshot(app, job)
    assert found.tokens_done == (found.tokens_total or 0) // 2


def test_without_redis_a_snapshot_is_that_of_the_files(settings: Settings, job: Job) -> None:
    app = make_app(replace(settings, broker_url=UNREACHABLE))
    assert snapshot(app, job) == job_progress(job)


def test_many_may_ask_for_workers_at_once_and_submit_meanwhile(app: VirnucproApp, settings: Settings) -> None:
    # Given fewer connections in the pool than questions
    app.conf.broker_pool_limit = 2
    answers: list[list[Any]] = []
    asking = [Thread(target=lambda: answers.append(workers(app, seconds=0.2)), daemon=True) for _ in range(3)]
    for thread in asking:
        thread.start()
    job = make_job(settings, SAMPLE)
    sending = Thread(target=lambda: enqueue(app, job), daemon=True)
    sending.start()
    for thread in (*asking, sending):
        thread.join(60)
    assert not sending.is_alive()
    assert answers == [[], [], []]
    assert queued(app) == [("virnucpro.split_job", [job.job_id])]

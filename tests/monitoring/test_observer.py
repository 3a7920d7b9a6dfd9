from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import BrokerError, ExitCode
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.monitoring import observer as module
from virnucpro_tasks.monitoring.observer import FAILED_SECONDS, Observer, failed_lately
from virnucpro_tasks.monitoring.stored_jobs import JobReader
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.redis_checks import bind_store
from virnucpro_tasks.queue.shard_shares import shard_shares
from virnucpro_tasks.queue.work_counts import count_shard
from virnucpro_tasks.queue.worker_troubles import record_trouble
from virnucpro_tasks.settings import Settings


@pytest.mark.service
def test_a_look_joins_what_the_store_redis_and_workers_tell(
    settings: Settings, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job whose first shard a worker is half through, with the others in its queue
    settings = replace(settings, broker_url=broker.url, shard_tokens=500)
    job, app = make_job(settings, SAMPLE), make_app(settings)
    shards = list(split_files(job))
    client: Any = app.backend.client
    client.flushall()
    client.rpush(job.queue, *("message" for _ in shards[1:]))
    client.hset(shard_shares(job.job_id), shards[0], "0.5")
    count_shard(client, "embed-gpu0@one", end="embedded", seconds=1, counts={"tokens": 7})
    record_trouble(client, node="embed-gpu1@one", queue="", text="killed", hint="")
    task = RunningTask((job.job_id, shards[0]), seconds=3.0, quiet_seconds=0.1)
    worker = WorkerInfo("embed-gpu0@one", (gpu_queue(job.spec.bundle_digest, job.spec.build), job.queue), (task,))
    monkeypatch.setattr(module, "workers", lambda *_, **__: [worker])
    monkeypatch.setattr(module, "process_facts", lambda *_, **__: {})
    # When the deployment is looked at
    look = Observer(app, settings).look(seconds=0.1)
    # Then all of it is there
    (seen,) = look.open_jobs
    assert (seen.job_id, seen.progress.state, seen.waiting) == (job.job_id, JobState.EMBEDDING, len(shards) - 1)
    assert seen.running == (("embed-gpu0@one", task),)
    assert seen.progress.tokens_done and seen.progress.tokens_done > 0
    assert [(one.name, one.info is not None, one.counts.tokens) for one in look.workers] == [
        ("embed-gpu0@one", True, 7),
        ("embed-gpu1@one", False, 0),
    ]
    assert look.workers[1].trouble is not None
    assert (look.redis_error, look.store_error) == ("", "")
    assert look.redis is not None and look.store is not None


def test_without_redis_the_store_tells(settings: Settings) -> None:
    settings = replace(settings, broker_url="redis://127.0.0.1:1/0")
    job = make_job(settings, SAMPLE)
    look = Observer(make_app(settings), settings).look(seconds=0.1)
    assert "cannot be reached" in look.redis_error
    assert [(one.job_id, one.waiting, one.wait) for one in look.open_jobs] == [(job.job_id, None, None)]
    assert look.workers == ()


@pytest.mark.service
def test_a_full_redis_answers_and_tells_its_memory(settings: Settings, broker: EmbeddedBroker) -> None:
    settings = replace(settings, broker_url=broker.url)
    job, app = make_job(settings, SAMPLE), make_app(settings)
    app.backend.client.config_set("maxmemory", 1)
    try:
        look = Observer(app, settings).look(seconds=0.1)
    finally:
        app.backend.client.config_set("maxmemory", 0)
    assert look.redis_full and "is full" in look.redis_error
    assert look.redis is not None and look.redis.used_share is not None and look.redis.used_share > 1
    assert [(one.job_id, one.waiting, one.wait) for one in look.open_jobs] == [(job.job_id, 0, None)]


@pytest.mark.service
def test_an_empty_mount_point_is_no_store_without_jobs(settings: Settings, broker: EmbeddedBroker) -> None:
    settings = replace(settings, broker_url=broker.url)
    app = make_app(settings)
    app.backend.client.flushall()
    bind_store(app.backend.client, settings.store)
    observer = Observer(app, settings)
    assert observer.look(seconds=0.1).store_error == ""
    settings.store.rename(settings.store.with_name("elsewhere"))
    settings.store.mkdir()
    look = observer.look(seconds=0.1)
    assert "not mounted" in look.store_error and look.jobs == {}


def test_without_the_store_redis_tells(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise BrokerError("away")

    monkeypatch.setattr(module, "read_info", away)
    look = Observer(make_app(settings), replace(settings, store=settings.store / "gone")).look(seconds=0.1)
    assert look.redis_error == "away" and look.store_error
    assert (look.store, look.open_jobs) == (None, ())


def test_the_first_look_tells_the_rate_and_files_that_have_not_changed_are_not_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, broker_url="redis://127.0.0.1:1/0")
    job = make_job(settings, SAMPLE)
    read: list[str] = []

    def past_rate(one: Job, _: Progress) -> Rate:
        read.append(one.job_id)
        return Rate(50.0, len(read))

    monkeypatch.setattr(module, "past_rate", past_rate)
    observer = Observer(make_app(settings), settings)
    assert [observer.look(seconds=0.1).open_jobs[0].rate for _ in range(2)] == [Rate(50.0, 1)] * 2
    # A file system may tell times in steps of some milliseconds.
    time.sleep(0.05)
    job.paths.attempts(0).touch()
    assert observer.look(seconds=0.1).open_jobs[0].rate == Rate(50.0, 2)
    monkeypatch.setattr(module, "MOVING_SECONDS", 0)
    assert observer.look(seconds=0.1).open_jobs[0].rate is None and len(read) == 2


def test_jobs_that_failed_lately_are_named_the_newest_first(settings: Settings) -> None:
    jobs = [make_job(settings, SAMPLE, chunk_length=length) for length in (300, 400, 500)]
    for job in jobs:
        fail_job(job, "no", exit_code=ExitCode.JOB_FAILED)
    stored = sorted(JobReader(settings.store).read().failed, key=lambda one: one.job.job_id)
    ages = (60.0, 5.0, FAILED_SECONDS + 60)
    aged = [replace(one, changed_at=time.time() - age) for one, age in zip(stored, ages, strict=True)]
    found = failed_lately(aged)
    assert [job.called for job in found] == [stored[1].short_id, stored[0].short_id]
    assert [round(job.seconds) for job in found] == [5, 60]

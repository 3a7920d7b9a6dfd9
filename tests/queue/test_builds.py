"""Jobs of several builds on one Redis: who takes what, who looks for it, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis
from builds import OTHER, another_build, as_of_07
from cli.snapshots import split, unsplit
from job import SAMPLE, make_job
from virnucpro_workers.consumer.lost_jobs import LostJobFinder, is_watcher

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.jobs.job import Job, cancel_job, open_job
from virnucpro_tasks.jobs.progress import JobState, Wait
from virnucpro_tasks.keys import (
    LEASES,
    SPLITTING_PRIORITY,
    UNACKED,
    UNACKED_INDEX,
    WATCH,
    coordinator_queues,
    gpu_queue,
    priority_lists,
)
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.client import WorkerInfo, enqueue, hold_off_older_before
from virnucpro_tasks.queue.job_queues import announce, live_queues
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.queue.redis_checks import bind_store
from virnucpro_tasks.queue.release import release
from virnucpro_tasks.queue.waiting import missing_workers, wait_of
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


@pytest.fixture
def app(settings: Settings, broker: EmbeddedBroker) -> Iterator[VirnucproApp]:
    app = make_app(replace(settings, broker_url=broker.url))
    app.loader.import_default_modules()
    yield app
    app.close()


@pytest.fixture
def jobs(settings: Settings) -> dict[str, Job]:
    """A job of this build, one of another, and one of version 0.7.0."""
    with another_build():
        theirs = make_job(settings, SAMPLE)
    return {own_build(): make_job(settings, SAMPLE), OTHER: theirs, "": as_of_07(make_job(settings, SAMPLE))}


def lengths(client: redis.Redis) -> dict[str, int]:
    """Messages that wait for coordinators of each build."""
    return {
        build: sum(client.llen(name) for queue in coordinator_queues(build) for name in priority_lists(queue))
        for build in ("", OTHER, own_build())
    }


def test_each_job_goes_to_the_coordinators_and_workers_of_its_build(
    app: VirnucproApp, client: redis.Redis, jobs: dict[str, Job]
) -> None:
    for build, job in jobs.items():
        before = lengths(client)
        enqueue(app, job)
        assert lengths(client) == before | {build: before[build] + 1}
        assert client.llen(f"{job.coordinator_queue}\x06\x16{SPLITTING_PRIORITY}") == 1
        announce(client, [job.queue])
    for build, job in jobs.items():
        assert live_queues(client, gpu_queue(job.spec.bundle_digest, build)) == {job.queue}


@pytest.mark.parametrize("task", ["split_job", "finish_job", "embed_shard"])
def test_a_message_of_a_job_of_another_build_changes_nothing(
    task: str, app: VirnucproApp, client: redis.Redis, jobs: dict[str, Job], settings: Settings
) -> None:
    bind_store(client, settings.store)
    for build in (OTHER, ""):
        job = jobs[build]
        before = {path: path.stat().st_mtime_ns for path in job.paths.root.rglob("*")}
        arguments = (job.job_id, 0) if task == "embed_shard" else (job.job_id,)
        assert app.tasks[f"virnucpro.{task}"](*arguments) == {"job": job.job_id, "state": "stopped"}
        assert {path: path.stat().st_mtime_ns for path in job.paths.root.rglob("*")} == before


def test_lost_jobs_are_found_by_coordinators_of_their_build_and_those_of_no_build_by_all(
    app: VirnucproApp, client: redis.Redis, settings: Settings, jobs: dict[str, Job]
) -> None:
    later = jobs[OTHER]
    later.paths.job.write_text(later.paths.job.read_text().replace('"owner"', '"colour": 1, "owner"'))
    with another_build("9876543210"):
        newer = make_job(settings, SAMPLE)
    finder = LostJobFinder(settings.store)
    assert finder.poll(app, client) == []
    found = finder.poll(app, client)
    # A description that was changed is nobody's, so each finder ends its job.
    assert found == sorted([jobs[own_build()].job_id, jobs[""].job_id])
    assert later.paths.failed.exists() and not newer.paths.failed.exists()
    assert lengths(client) == {"": 1, OTHER: 0, own_build(): 1}
    assert jobs_with_messages(client, ["", own_build()]) == set(found)
    assert finder.poll(app, client) == finder.poll(app, client) == []


def test_each_build_has_a_watchdog_and_that_of_0_7_is_held_off(client: redis.Redis) -> None:
    client.set(WATCH, "a coordinator of 0.7.0")
    assert is_watcher(client, "a", every_seconds=60)
    with another_build():
        assert is_watcher(client, "b", every_seconds=60)
        assert not is_watcher(client, "c", every_seconds=60)
    assert not is_watcher(client, "d", every_seconds=60)
    # What a coordinator of 0.7.0 finds there is another's name.
    assert client.get(WATCH) == own_build().encode() and client.ttl(WATCH) > 3_600


@pytest.mark.parametrize("hold", [enqueue, lambda app, job: hold_off_older_before(app)])
def test_a_client_holds_0_7_off_before_any_coordinator_of_its_build_runs(
    hold: Callable[[VirnucproApp, Job], None], app: VirnucproApp, client: redis.Redis, jobs: dict[str, Job]
) -> None:
    client.set(WATCH, "a coordinator of 0.7.0", px=1_000)
    hold(app, jobs[own_build()])
    assert client.get(WATCH) == own_build().encode() and client.ttl(WATCH) > 3_600


def held(client: redis.Redis, job: Job, tag: str, *, seconds_ago: float) -> None:
    now = float(client.time()[0])
    client.hset(UNACKED, tag, json.dumps([{"headers": {"argsrepr": f"('{job.job_id}', 0)"}}, "", job.queue]))
    client.zadd(UNACKED_INDEX, {tag: now})
    client.zadd(LEASES, {tag: now - seconds_ago})


def test_a_job_is_released_once_no_living_worker_holds_a_message_of_it(
    app: VirnucproApp, client: redis.Redis, jobs: dict[str, Job]
) -> None:
    job, other = jobs[OTHER], jobs[own_build()]
    for one in (job, other):
        enqueue(app, one)
        client.rpush(one.queue, "a shard")
        cancel_job(one)
    held(client, job, "dead", seconds_ago=60)
    held(client, job, "alive", seconds_ago=1)
    held(client, other, "another's", seconds_ago=60)
    told: list[int] = []
    assert release(app, job, lease_seconds=30, patience_seconds=0.1, tell=told.append) == 1
    assert told == [1]
    assert client.hkeys(UNACKED) == [b"alive", b"another's"]
    assert lengths(client) == {"": 0, OTHER: 0, own_build(): 1}
    assert (client.llen(job.queue), client.llen(other.queue)) == (0, 1)
    client.hdel(UNACKED, "alive")
    assert release(app, job, lease_seconds=30, patience_seconds=0) == 0


def workers_of(build: str, digest: str) -> list[WorkerInfo]:
    return [
        WorkerInfo("coordinate-0@a", coordinator_queues(build), ()),
        WorkerInfo("embed-gpu0@a", (gpu_queue(digest, build),), ()),
    ]


def test_who_waits_for_workers_of_its_version_is_told_so(jobs: dict[str, Job], settings: Settings) -> None:
    queued = unsplit(JobState.QUEUED)
    embedding = split(JobState.EMBEDDING, shards_done=0, tokens_done=0)
    ours = workers_of(own_build(), jobs[OTHER].spec.bundle_digest)
    for build in (OTHER, ""):
        job = open_job(settings.store, jobs[build].job_id)
        # Whether others answer or nobody: a worker of this version would not help.
        for found in (ours, []):
            for progress in (queued, embedding):
                (line,) = missing_workers(job, progress, found)
                assert line.startswith(f"no worker of {job.spec.named_build} takes the job, which began with it: start")
                assert "'virnucpro resume JOB --this-version'" in line
        words = f"no worker of its version {job.spec.version}"
        assert wait_of(job, queued, ours) == wait_of(job, embedding, ours) == Wait(words)
        assert missing_workers(job, embedding, workers_of(build, job.spec.bundle_digest)) == []
    mine = jobs[own_build()]
    (line,) = missing_workers(mine, queued, workers_of("", mine.spec.bundle_digest))
    assert "no worker of version" in line
    (line,) = missing_workers(mine, embedding, workers_of(own_build(), "f" * 64))
    assert "serve other bundles" in line or "serves other bundles" in line

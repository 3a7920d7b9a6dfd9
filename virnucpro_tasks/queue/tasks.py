"""The tasks. Each may run twice, at any time, at once with itself: the job folder decides what is left to do.

`split_job` → chord of `embed_shard` → `finish_job`. Arguments are a job id and a shard number, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from celery import Celery, Task, chord, shared_task
from celery.canvas import Signature
from celery.exceptions import Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.jobs.job import Job, open_for_work
from virnucpro_tasks.keys import FINISHING_PRIORITY, PRIORITY_STEPS, coordinator_queue
from virnucpro_tasks.paths import FINISHING, SPLITTING
from virnucpro_tasks.pipeline.embed_shard import TAKEN_OVER, embed_shard_files
from virnucpro_tasks.pipeline.finish import finish_files
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.checked_task import CheckedTask, MessageReassigned
from virnucpro_tasks.queue.counted_attempt import counted_attempt
from virnucpro_tasks.queue.job_queues import announcing, empty, entity
from virnucpro_tasks.queue.store_failures import counted_store_failures

with suppress(ImportError):
    # Where it is installed Arrow imports it with its first array: a third of a second, for which a GPU would wait.
    import pandas  # noqa: F401


@shared_task(bind=True, base=CheckedTask, name="virnucpro.split_job")
def split_job(self: Task, job_id: str) -> None:
    """Cut the input into shards and start the chord of those without embeddings, published while reading."""
    job = open_for_work(self.app.settings.store, job_id)
    with counted_step(self.app, job, SPLITTING):
        # Not `self.replace`: Celery would read the whole input before it published the first shard.
        next_step(self.app, job, split_files(job)).apply_async()


@shared_task(bind=True, base=CheckedTask, name="virnucpro.embed_shard")
def embed_shard(self: Task, job_id: str, shard: int) -> dict[str, Any]:
    """Embed one shard. What went wrong is a file of the job. The result is deterministic."""
    job = open_for_work(self.app.settings.store, job_id)
    tag = (self.request.properties or {}).get("delivery_tag", "")
    done = {"shard": shard, "state": "failed"}
    with given_back_in_an_outage(), counted_store_failures(self.app.backend.client, job):
        done = embed_shard_files(job, shard, self.app.settings, message=tag)
    if done["state"] == TAKEN_OVER:
        raise MessageReassigned
    return done


@shared_task(bind=True, base=CheckedTask, name="virnucpro.finish_job")
def finish_job(self: Task, job_id: str) -> None:
    """Write the results if every shard is in; otherwise start the chord of what is missing."""
    job = open_for_work(self.app.settings.store, job_id)
    with counted_step(self.app, job, FINISHING):
        missing = finish_files(job, processes=self.app.settings.finishing_processes or 1)
        if missing:
            next_step(self.app, job, missing).apply_async()


@shared_task(bind=True, base=CheckedTask, name="virnucpro.recheck_job")
def recheck_job(self: Task, job_id: str) -> None:
    """Errback of the chord: look at the files again."""
    finish_job.apply_async((job_id,), queue=self.request.delivery_info["routing_key"])


@contextmanager
def counted_step(app: Celery, job: Job, step: str) -> Iterator[None]:
    """A step that can be lost with its process, failed by the store, or cut off by an outage."""
    with (
        given_back_in_an_outage(),
        counted_store_failures(app.backend.client, job),
        counted_attempt(job, step, limit_seconds=app.settings.split_time_limit_seconds),
    ):
        yield


@contextmanager
def given_back_in_an_outage() -> Iterator[None]:
    """A step that Redis fails is no failure of the job: its message goes back, and what is done is not done again."""
    try:
        yield
    except (OperationalError, RedisError) as error:
        raise Reject(error, requeue=True) from error


def next_step(app: Celery, job: Job, shards: Iterable[int]) -> Signature:
    """The chord over `shards` (read lazily), or `finish_job` alone if there are none."""
    lane = coordinator_queue(job.spec.input_bytes)
    finish = finish_job.si(job.job_id).set(queue=lane, priority=FINISHING_PRIORITY)
    shards = iter(shards)
    first = next(shards, None)
    if first is None:
        return finish
    return chord(header(app, job, chain([first], shards)), finish.on_error(recheck_job.si(job.job_id).set(queue=lane)))


def header(app: Celery, job: Job, shards: Iterable[int]) -> Iterator[Signature]:
    """The tasks of `shards` for the job's queue. What still waits there of an earlier chord is dropped first."""
    queue = job.queue
    empty(app.backend.client, queue)
    for shard in announcing(app.backend.client, queue, shards):
        yield embed_shard.si(job.job_id, shard).set(queue=entity(queue), priority=PRIORITY_STEPS[0])

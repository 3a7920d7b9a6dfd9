"""The tasks. Each may run twice, at any time, even at once: the job folder decides what is left to do.

`split_job` → chord of `embed_shard` → `finish_job`. Arguments are a job id and a shard number, nothing else. How a
message ends is listed in `outcomes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from celery import Celery, Task, chord, shared_task, uuid
from celery.canvas import Signature

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import FINISHING_PRIORITY, PRIORITY_STEPS, owner_of
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths
from virnucpro_tasks.pipeline.finish import finish
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.chords import register_chord, retire_chords
from virnucpro_tasks.queue.job_queues import announcing, empty, entity
from virnucpro_tasks.queue.outcomes import (
    MessageReassigned,
    PipelineTask,
    message_outcome,
    raise_if_failed,
    require_served_store,
)
from virnucpro_tasks.recovery.stage import stage_attempt
from virnucpro_tasks.system.file_operations import exists


@shared_task(bind=True, base=PipelineTask, name="virnucpro.split_job")
def split_job(self: Task, job_id: str) -> None:
    """Cut the input into shards and start the chord of those without vectors, published while reading."""
    with counted_stage(self.app, job_id, SPLITTING) as job:
        # Not `self.replace`: Celery would read the whole input before it published the first shard.
        next_stage(self.app, job, split_files(job)).apply_async()


@shared_task(bind=True, base=PipelineTask, name="virnucpro.embed_shard")
def embed_shard(self: Task, job_id: str, shard: int) -> dict[str, Any]:
    """Embed one shard. The result is deterministic; what went wrong is a file of the job."""
    message = (self.request.properties or {}).get("delivery_tag", "")
    state, writer = ShardState.FAILED, self.app.share_writer
    with message_outcome(self.app, job_id) as job, writer.writing(job_id, shard, worker=self.request.hostname) as told:
        state = self.app.shard_worker.embed(job, shard, message=message, tell_share=told.tell)
        told.end, told.counts = state, self.app.shard_worker.computed
        if state is ShardState.STOPPED:
            # A job that is not there was removed, or its store is not mounted.
            require_served_store(self.app)
    if state is ShardState.REASSIGNED:
        raise MessageReassigned
    return {"shard": shard, "state": str(state)}


@shared_task(bind=True, base=PipelineTask, name="virnucpro.finish_job")
def finish_job(self: Task, job_id: str) -> None:
    """Repair what is damaged; then write the results, or start the chord of the shards that are to be embedded."""
    processes = self.app.settings.finishing_processes or 1
    with counted_stage(self.app, job_id, FINISHING) as job:
        if missing := repair(job, processes=processes):
            next_stage(self.app, job, missing).apply_async()
        else:
            finish(job, processes=processes)
            retire_chords(self.app, job_id)


@shared_task(bind=True, base=PipelineTask, name="virnucpro.recheck_job")
def recheck_job(self: Task, job_id: str) -> None:
    """Errback of the chord: look at the files again, unless the job has failed."""
    if not exists(JobPaths.of(self.app.settings.store, job_id).failed):
        finish_job.apply_async((job_id,), queue=self.request.delivery_info["routing_key"])


@contextmanager
def counted_stage(app: Celery, job_id: str, stage: str) -> Iterator[Job]:
    """The job of a stage that can be lost with its process, and whose message can be rejected.

    Raises JobHasFailedError for a job that has failed in it, or before.
    """
    limit_seconds = app.settings.split_time_limit_seconds
    try:
        with message_outcome(app, job_id) as job, stage_attempt(job, stage, limit_seconds=limit_seconds):
            yield job
    except JobError:
        raise_if_failed(app, job_id)
        raise
    raise_if_failed(app, job_id)


def next_stage(app: Celery, job: Job, shards: Iterable[int]) -> Signature:
    """The chord over `shards` (read lazily), or `finish_job` alone if there are none."""
    queue = job.coordinator_queue
    finishing = finish_job.si(job.job_id).set(queue=queue, priority=FINISHING_PRIORITY)
    shards = iter(shards)
    first = next(shards, None)
    if first is None:
        return finishing
    errback = recheck_job.si(job.job_id).set(queue=queue)
    group_id = uuid()
    register_chord(app.backend.client, job.job_id, group_id)
    # Celery takes the id of a chord's group from this option.
    return chord(shard_tasks(app, job, chain([first], shards)), finishing.on_error(errback)).set(task_id=group_id)


def shard_tasks(app: Celery, job: Job, shards: Iterable[int]) -> Iterator[Signature]:
    """The tasks of `shards` for the job's queue. Messages of an earlier chord that wait there are dropped first."""
    empty(app.backend.client, job.queue)
    for shard in announcing(app.backend.client, job.queue, shards):
        # Flower lists a task by this text, cut after some 40 characters, and finds it by any part of it.
        shown = f"shard={shard} owner={owner_of(job.queue)} job={job.job_id}"
        options = {"queue": entity(job.queue), "priority": PRIORITY_STEPS[0], "argsrepr": shown}
        yield embed_shard.si(job.job_id, shard).set(**options)

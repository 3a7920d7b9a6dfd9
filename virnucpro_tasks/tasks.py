"""The tasks. Each may run twice, at any time, at once with itself: the job folder decides what is left to do.

`split_job` → chord of `embed_shard` → `finish_job`. Arguments are a job id and a shard number, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from celery import Task, chord, shared_task
from celery.canvas import Signature

from virnucpro_tasks.embedding import embed_shard_files
from virnucpro_tasks.finishing import finish_files
from virnucpro_tasks.jobs import Job, open_job
from virnucpro_tasks.keys import CPU_QUEUE, gpu_queue
from virnucpro_tasks.splitting import split_files


@shared_task(bind=True, name="virnucpro.split_job")
def split_job(self: Task, job_id: str) -> Any:
    """Cut the input into shards; becomes the chord of those without embeddings, published while reading."""
    job = open_job(self.app.settings.store, job_id)
    return self.replace(next_step(job, split_files(job)))


@shared_task(bind=True, name="virnucpro.embed_shard")
def embed_shard(self: Task, job_id: str, shard: int) -> dict[str, Any]:
    """Embed one shard. Never raises: what went wrong is a file of the job. The result is deterministic."""
    return embed_shard_files(open_job(self.app.settings.store, job_id), shard, self.app.settings)


@shared_task(bind=True, name="virnucpro.finish_job")
def finish_job(self: Task, job_id: str) -> Any:
    """Write the results if every shard is in; otherwise become the chord of what is missing."""
    job = open_job(self.app.settings.store, job_id)
    missing = finish_files(job)
    return self.replace(next_step(job, iter(missing))) if missing else {"job": job_id}


@shared_task(name="virnucpro.recheck_job")
def recheck_job(job_id: str) -> None:
    """Errback of the chord: look at the files again."""
    finish_job.apply_async((job_id,), queue=CPU_QUEUE)


def next_step(job: Job, shards: Iterable[int]) -> Signature:
    """The chord over `shards` (read lazily), or `finish_job` alone if there are none."""
    finish = finish_job.si(job.job_id).set(queue=CPU_QUEUE, priority=0)
    shards = iter(shards)
    first = next(shards, None)
    if first is None:
        return finish
    route = {"queue": gpu_queue(job.spec.bundle_digest), "priority": job.spec.parameters.priority}
    header = (embed_shard.si(job.job_id, shard).set(**route) for shard in chain([first], shards))
    return chord(header, finish.on_error(recheck_job.si(job.job_id).set(queue=CPU_QUEUE)))

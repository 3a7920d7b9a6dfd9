"""What is left to do of a shard once its vectors can be read, while the device computes the next one.

Its frames are scored, so that finishing has the tables left to write, and its vectors reach the disk. Neither is ever
waited for: finishing scores what is not scored, to the same bits, and has computed again what a crash of the host took.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from virnucpro_tasks.classify.head import Head
from virnucpro_tasks.files import sync
from virnucpro_tasks.jobs.job import Job, is_stopped, open_job
from virnucpro_tasks.pipeline.score import job_description, job_head, shard_scores
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.files import ShardVectors
from virnucpro_tasks.shards.scores import write_scores

log = logging.getLogger(__name__)

THREAD_NAME = "follow-up"

_at_work: threading.Thread | None = None


def score_in_background(job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> threading.Thread | None:
    """Begin to score shard `number` from `vectors` and to make its file of them durable; returns the thread.

    None, and the shard is left to finishing and to the system, if the one before is not done yet. Raises nothing;
    neither does the thread, which logs what went wrong. Vectors that the disk did not take are deleted by it.
    """
    global _at_work
    if _at_work is not None and _at_work.is_alive():
        return None
    _at_work = threading.Thread(
        target=_score_in_background, args=(job, number, vectors, key), name=THREAD_NAME, daemon=True
    )
    _at_work.start()
    return _at_work


def _score_in_background(job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> None:
    try:
        if is_stopped(job.paths):
            return
        head = _head(job.paths.store, job.job_id)
        if head is not None:
            write_scores(job.paths.scores(number), shard_scores(head, vectors), key)
    except Exception as error:
        log.warning("job=%s shard=%d is left to be scored at the end: %s", job.job_id, number, error)
    file = job.paths.embedding(number)
    try:
        sync(file)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("job=%s shard=%d is to be computed again: its vectors are lost: %s", job.job_id, number, error)
        with suppress(OSError):
            file.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _head(store: Path, job_id: str) -> Head | None:
    """The head of a job, which its folder holds unchanged."""
    job = open_job(store, job_id)
    return job_head(job, job_description(job))

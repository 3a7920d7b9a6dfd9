"""Scoring a shard in the worker that embedded it, while its device computes the next one.

Finishing then has the tables left to write. What is not scored here, finishing scores, to the same bits.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from pathlib import Path

from virnucpro_tasks.classify.head import Head
from virnucpro_tasks.jobs.job import Job, is_stopped, open_job
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.files import ShardVectors
from virnucpro_tasks.shards.scores import write_scores
from virnucpro_tasks.steps.scoring import job_description, load_head, shard_scores

log = logging.getLogger(__name__)

THREAD_NAME = "score-ahead"

_at_work: threading.Thread | None = None


def score_ahead(job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> threading.Thread | None:
    """Begin to score shard `number` from `vectors`; returns the thread that does it and writes its file.

    None, and the shard is left to finishing, if the one before is not done yet or the bundle has no head. Raises
    nothing; neither does the thread, which logs what went wrong.
    """
    global _at_work
    if _at_work is not None and _at_work.is_alive():
        return None
    _at_work = threading.Thread(target=_score, args=(job, number, vectors, key), name=THREAD_NAME, daemon=True)
    _at_work.start()
    return _at_work


def _score(job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> None:
    try:
        head = _head(job.paths.store, job.job_id)
        if head is not None and not is_stopped(job.paths):
            write_scores(job.paths.scores(number), shard_scores(head, vectors), key)
    except Exception as error:
        log.warning("job=%s shard=%d is left to be scored at the end: %s", job.job_id, number, error)


@lru_cache(maxsize=1)
def _head(store: Path, job_id: str) -> Head | None:
    """The head of a job, which its folder holds unchanged."""
    job = open_job(store, job_id)
    return load_head(job, job_description(job))

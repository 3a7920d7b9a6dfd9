"""Scores a shard, and makes its vectors durable, in a thread beside the computation of the next shard.

Nothing waits for it: finishing scores what is not scored, to the same bits, and vectors that a crash of the host took
are computed again.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from virnucpro_tasks.classifier.head import Head
from virnucpro_tasks.jobs.job import Job, is_stopped
from virnucpro_tasks.pipeline.score import frame_lengths, job_description, job_head, shard_scores
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.scores import write_scores
from virnucpro_tasks.shards.vectors import ShardVectors
from virnucpro_tasks.system.file_operations import sync

log = logging.getLogger(__name__)

THREAD_NAME = "score-in-background"


class BackgroundScorer:
    """One thread at a time, and the head of the job whose shards it scores."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._job_id = ""
        self._head: Head | None = None

    def score(self, job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> threading.Thread | None:
        """Start to score shard `number` and to fsync its file of vectors; returns the thread.

        None if the shard before is not done yet: this one is left to finishing. Raises nothing; the thread logs its
        errors. Vectors that the disk refuses are deleted.
        """
        if self._thread is not None and self._thread.is_alive():
            return None
        self._thread = threading.Thread(
            target=self._score, args=(job, number, vectors, key), name=THREAD_NAME, daemon=True
        )
        self._thread.start()
        return self._thread

    def _score(self, job: Job, number: int, vectors: ShardVectors, key: EmbeddingKey) -> None:
        try:
            if is_stopped(job.paths):
                return
            if (head := self._head_of(job)) is not None:
                scores = shard_scores(head, vectors, frame_lengths(job, number))
                write_scores(job.paths.scores(number), scores, key)
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

    def _head_of(self, job: Job) -> Head | None:
        if self._job_id != job.job_id:
            self._head = job_head(job, job_description(job))
            self._job_id = job.job_id
        return self._head

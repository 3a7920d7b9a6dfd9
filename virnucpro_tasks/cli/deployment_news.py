"""News of a deployment's workers, for a person who follows a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from celery import Celery

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.queue.client import worker_troubles, workers

TROUBLES_SECONDS = 5.0
WORKERS_SECONDS = 30.0
"""Time between two questions to the workers, which take PING_SECONDS each."""


class DeploymentNews:
    """Called with each snapshot, it yields new deaths of workers, and says once if no worker takes the job's shards.

    It also says once that Redis is away.
    """

    def __init__(self, app: Celery, job: Job, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._queue = gpu_queue(job.spec.bundle_digest)
        self._clock = clock
        self._troubles_at = clock()
        self._workers_at = clock() + TROUBLES_SECONDS
        self._told: set[str] = set()
        self._without_workers = False
        self._without_redis = False

    def __call__(self) -> Iterator[str]:
        now = self._clock()
        if now >= self._troubles_at:
            self._troubles_at = now + TROUBLES_SECONDS
            for line in worker_troubles(self._app, [self._queue]):
                # The same death is as many seconds older at each question.
                who, _, what = line.partition(" ago: ")
                death = f"{who.partition(',')[0]}: {what}"
                if death not in self._told:
                    self._told.add(death)
                    yield f"warning: {line}"
        if now >= self._workers_at:
            self._workers_at = now + WORKERS_SECONDS
            yield from self._lack_of_workers()

    def _lack_of_workers(self) -> Iterator[str]:
        try:
            able = any(self._queue in worker.queues for worker in workers(self._app))
        except BrokerError as error:
            if not self._without_redis:
                yield f"warning: {error}"
            self._without_redis = True
            return
        self._without_redis = False
        if not able and not self._without_workers:
            yield f"no worker takes from queue {self._queue}: start one with this bundle"
        self._without_workers = not able

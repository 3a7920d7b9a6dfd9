"""What workers cannot write into the store, they say in Redis: that it fails, how often, and why.

Every step that the store fails goes back to its queue after a pause. After STORE_FAILURES_AN_ATTEMPT times the job's
`max_attempts` failures without a success in between the job ends, with a message; `resume` takes that back.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery.exceptions import Reject

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.keys import STORE_FAILURES, STORE_REASONS
from virnucpro_tasks.queue.job_queues import empty

log = logging.getLogger(__name__)

STORE_FAILURES_AN_ATTEMPT = 3
PAUSE_SECONDS = 5.0
"""A worker whose store has failed waits so long before it hands the message back."""


@dataclass(frozen=True, slots=True)
class StoreFailures:
    """The store has failed a job: how often in a row, why and where; `ended`: too often."""

    message: str
    ended: bool


def store_failures_of(client: Any, job: Job) -> StoreFailures | None:
    """What Redis knows of it. Raises redis.RedisError, as all of these do."""
    reason = client.hget(STORE_REASONS, job.job_id)
    return None if reason is None else StoreFailures(**json.loads(reason))


def all_store_failures(client: Any) -> dict[str, StoreFailures]:
    """The same of all jobs by their ids, in one call."""
    reasons = client.hgetall(STORE_REASONS)
    return {bytes(job_id).decode(): StoreFailures(**json.loads(reason)) for job_id, reason in reasons.items()}


def ended_jobs(client: Any) -> set[str]:
    """Ids of the jobs that the store has failed too often and whose folder cannot say so."""
    return {job_id for job_id, trouble in all_store_failures(client).items() if trouble.ended}


def clear_store_failures(client: Any, job: Job) -> None:
    """The store has taken something of the job, or it is to be tried anew."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hdel(STORE_FAILURES, job.job_id)
        pipeline.hdel(STORE_REASONS, job.job_id)
        pipeline.execute()


@contextmanager
def counted_store_failures(client: Any, job: Job) -> Iterator[None]:
    """A step whose StoreError is counted: it is handed back, or has been the last one, and then ends quietly."""
    try:
        yield
    except StoreError as error:
        if not _ends(client, job, error):
            time.sleep(PAUSE_SECONDS)
            raise Reject(error, requeue=True) from error
    else:
        clear_store_failures(client, job)


def _ends(client: Any, job: Job, error: StoreError) -> bool:
    """Count a failure; returns whether it was one too many, and then ends the job."""
    failures = client.hincrby(STORE_FAILURES, job.job_id, 1)
    ended = failures >= STORE_FAILURES_AN_ATTEMPT * job.spec.parameters.max_attempts
    log.error("job=%s (%d times in a row): %s", job.job_id, failures, error)
    message = f"{error.what} on {socket.gethostname()}, {failures} times in a row: {error.hint}"
    client.hset(STORE_REASONS, job.job_id, json.dumps({"message": message, "ended": ended}))
    if not ended:
        return False
    empty(client, job.queue)
    try:
        fail_job(job, message, exit_code=error.exit_code)
    except OSError as unwritable:
        log.critical("job=%s has failed, and its folder cannot say so: %s", job.job_id, unwritable)
    else:
        clear_store_failures(client, job)
    return True

"""Records in Redis that a worker cannot write to the store, because then it cannot record that in the job folder.

A task that fails in this way goes back to its queue after a pause. After STORE_FAILURES_AN_ATTEMPT times `max_attempts`
consecutive failures the job ends with a message; `resume` starts it anew. In a one-shot run, whose user waits, it ends
after ONE_SHOT_FAILURES with shorter pauses; the same command starts it anew. What is finished stays in both cases.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from dataclasses import dataclass
from typing import Any

from virnucpro_tasks.errors import StoreError, counted
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.keys import STORE_FAILURES, STORE_REASONS
from virnucpro_tasks.queue.job_queues import empty

log = logging.getLogger(__name__)

STORE_FAILURES_AN_ATTEMPT = 3
PAUSE_SECONDS = 5.0
"""A worker waits this long after such a failure before it puts the message back."""

ONE_SHOT_FAILURES = 3
ONE_SHOT_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StoreFailure:
    """The last failure of a job to write to the store: why, where, how often in a row, and whether it ended the job."""

    message: str
    ended: bool


def store_failure_of(client: Any, job: Job) -> StoreFailure | None:
    """Return the last failure of a job; None if a later write succeeded. Raises redis.RedisError, as all here do."""
    reason = client.hget(STORE_REASONS, job.job_id)
    return None if reason is None else StoreFailure(**json.loads(reason))


def all_store_failures(client: Any) -> dict[str, StoreFailure]:
    """Return the last failure of each job by its id, in one call."""
    reasons = client.hgetall(STORE_REASONS)
    return {bytes(job_id).decode(): StoreFailure(**json.loads(reason)) for job_id, reason in reasons.items()}


def ended_jobs(client: Any) -> set[str]:
    """Return the ids of jobs that ended by such failures and whose folder could not be told."""
    return {job_id for job_id, failure in all_store_failures(client).items() if failure.ended}


def clear_store_failures(client: Any, job: Job) -> None:
    """Remove the failures of a job: a write has succeeded, or the job starts anew."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hdel(STORE_FAILURES, job.job_id)
        pipeline.hdel(STORE_REASONS, job.job_id)
        pipeline.execute()


def count_store_failure(client: Any, job: Job, error: StoreError, *, one_shot: bool = False) -> bool:
    """Count a failure of the store; returns whether it was one too many, and then ends the job.

    If it was not, a pause passes before it returns, so that the message does not come back at once.
    """
    most = ONE_SHOT_FAILURES if one_shot else STORE_FAILURES_AN_ATTEMPT * job.spec.parameters.max_attempts
    failures = client.hincrby(STORE_FAILURES, job.job_id, 1)
    ended = failures >= most
    log.error("job=%s (%d times in a row): %s", job.job_id, failures, error)
    message = (
        f"{error.what} on {socket.gethostname()}, {counted(failures, 'time')} in a row: "
        f"{_advice(job, error, one_shot=one_shot)}"
    )
    client.hset(STORE_REASONS, job.job_id, json.dumps({"message": message, "ended": ended}))
    if not ended:
        time.sleep(ONE_SHOT_PAUSE_SECONDS if one_shot else PAUSE_SECONDS)
        return False
    empty(client, job.queue)
    try:
        fail_job(job, message, exit_code=error.exit_code)
    except OSError as unwritable:
        log.critical("job=%s has failed, and its folder cannot say so: %s", job.job_id, unwritable)
    else:
        clear_store_failures(client, job)
    return True


def _advice(job: Job, error: StoreError, *, one_shot: bool) -> str:
    first = f"{error.hint}; then " if error.hint else ""
    if one_shot:
        return f"{first}repeat the command: finished shards are kept"
    return f"{first}'virnucpro resume {job.job_id}' goes on"

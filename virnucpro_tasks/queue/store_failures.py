"""Records in Redis that a worker cannot use the store, because then it cannot record that in the job folder.

A task that fails in this way goes back to its queue after a pause (`store_outage`). When the store has failed for the
setting `store_failure_seconds`, the job ends with a message, and `resume` starts it anew. If not even that can be
written, the job has not ended: it waits until the store is back. In a one-shot run, whose user waits, it ends in any
case; the same command starts it anew. What is finished stays.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from virnucpro_tasks.errors import StoreError, counted
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.keys import STORE_FAILURES
from virnucpro_tasks.queue.job_queues import empty
from virnucpro_tasks.queue.messages import held_messages
from virnucpro_tasks.queue.store_outage import (
    Outage,
    has_lasted,
    has_lasted_in_one_shot,
    pause_seconds,
    with_failure,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreFailure:
    """The failures of a job to use the store: why, where, for how long, and whether they ended the job."""

    message: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Failing:
    """A task to which the store fails: its job, None if not even its description can be read, and its worker."""

    job_id: str
    job: Job | None
    worker: str

    @classmethod
    def here(cls, job_id: str, job: Job | None) -> Failing:
        """The task that this process, the child of a worker, runs."""
        return cls(job_id, job, f"{socket.gethostname()} {os.getppid()}")


def store_failure_of(client: Any, job: Job) -> StoreFailure | None:
    """Return the failures of a job; None if a later write succeeded. Raises redis.RedisError, as all here do."""
    outage = _outage(client.hget(STORE_FAILURES, job.job_id))
    return None if outage is None else StoreFailure(outage.message, outage.ended)


def all_store_failures(client: Any) -> dict[str, StoreFailure]:
    """Return the failures of each job by its id, in one call."""
    found = {bytes(job_id).decode(): _outage(text) for job_id, text in client.hgetall(STORE_FAILURES).items()}
    return {job_id: StoreFailure(one.message, one.ended) for job_id, one in found.items() if one is not None}


def ended_jobs(client: Any) -> set[str]:
    """Return the ids of jobs that ended by such failures and whose folder could not be told."""
    return {job_id for job_id, failure in all_store_failures(client).items() if failure.ended}


def clear_store_failures(client: Any, job_id: str) -> None:
    """Remove the failures of a job: a task has succeeded, or the job starts anew."""
    client.hdel(STORE_FAILURES, job_id)


def count_store_failure(
    client: Any, failing: Failing, error: StoreError, *, limit_seconds: float, one_shot: bool = False
) -> bool:
    """Count a failure of the store; returns whether it was one too many, and then ends the job.

    If it was not, a pause passes before it returns, so that the message does not come back at once.
    """
    outage = _counted(client, failing, error)
    what = _what(error, outage)
    log.error("job=%s: %s", failing.job_id, what)
    if one_shot:
        ends = has_lasted_in_one_shot(outage, failing.worker, may_pass=error.may_pass)
    else:
        held = held_messages(client, failing.job_id) if outage.seconds >= limit_seconds else 0
        ends = has_lasted(outage, limit_seconds=limit_seconds, held=held)
    if ends:
        message = f"{what}: {_advice(failing.job_id, error, one_shot=one_shot)}"
        is_recorded = _is_recorded(failing, message, error)
        if is_recorded:
            clear_store_failures(client, failing.job_id)
        elif one_shot:
            ended = msgspec.structs.replace(outage, message=message, ended=True)
            client.hset(STORE_FAILURES, failing.job_id, msgspec.json.encode(ended))
        if is_recorded or one_shot:
            if failing.job is not None:
                empty(client, failing.job.queue)
            return True
    time.sleep(pause_seconds(outage.times[failing.worker]))
    return False


def _counted(client: Any, failing: Failing, error: StoreError) -> Outage:
    """Add a failure to those of the job in Redis, and return them all."""
    seconds, microseconds = client.time()
    now = float(seconds) + microseconds / 1e6

    def add(pipeline: Any) -> Outage:
        outage = with_failure(_outage(pipeline.hget(STORE_FAILURES, failing.job_id)), failing.worker, now=now)
        hint = f"{error.hint}; " if error.hint else ""
        message = f"{_what(error, outage)}: {hint}the job goes on when the store can be used"
        outage = msgspec.structs.replace(outage, message=message)
        pipeline.multi()
        pipeline.hset(STORE_FAILURES, failing.job_id, msgspec.json.encode(outage))
        return outage

    counted_one: Outage = client.transaction(add, STORE_FAILURES, value_from_callable=True)
    return counted_one


def _outage(text: bytes | None) -> Outage | None:
    """The failures that Redis holds; what another version wrote counts as none."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Outage)
    except msgspec.DecodeError:
        return None


def _what(error: StoreError, outage: Outage) -> str:
    workers = f" by {len(outage.times)} workers" if len(outage.times) > 1 else ""
    extent = f" in {outage.seconds:.0f} s" if outage.total > 1 else ""
    return f"{error.what} on {socket.gethostname()}, {counted(outage.total, 'time')} in a row{extent}{workers}"


def _is_recorded(failing: Failing, message: str, error: StoreError) -> bool:
    """Try to write into the job's folder that it has failed; returns whether that is there, or the job is gone."""
    if failing.job is None:
        return False
    try:
        fail_job(failing.job, message, exit_code=error.exit_code)
    except OSError as unwritable:
        log.error("job=%s cannot be marked as failed either: %s", failing.job_id, unwritable)
        return False
    return True


def _advice(job_id: str, error: StoreError, *, one_shot: bool) -> str:
    first = f"{error.hint}; then " if error.hint else ""
    if one_shot:
        return f"{first}repeat the command: finished shards are kept"
    return f"{first}'virnucpro resume {job_id}' goes on"

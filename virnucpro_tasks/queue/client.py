"""The client's side of the queue: start a job, see who works, keep a job moving. Imports no task code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.errors import BrokerError, ExitCode, StoreError, printable
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress, job_progress
from virnucpro_tasks.keys import FINISHING_PRIORITY, SPLITTING_PRIORITY, coordinator_queue
from virnucpro_tasks.queue.job_queues import empty
from virnucpro_tasks.queue.messages import has_messages
from virnucpro_tasks.queue.redis_checks import bind_store, check_reachable
from virnucpro_tasks.queue.store_failures import (
    StoreFailures,
    all_store_failures,
    clear_store_failures,
    store_failures_of,
)
from virnucpro_tasks.settings import masked_url

PING_SECONDS = 2.0
"""How long workers are given to answer a question."""

LEASES_WITHOUT_PROGRESS = 3
"""After so many leases without a new file, a waiting client looks whether Redis has lost the job."""

COUNTED_FIELDS = ("state", "shards_done", "shards_quarantined")


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process that answered: its node name, the queues it takes from, the tasks it is running."""

    name: str
    queues: tuple[str, ...]
    running: tuple[tuple[Any, ...], ...]


def enqueue(app: Celery, job: Job) -> None:
    """Queue the next step of a job: splitting, or finishing, which itself re-plans missing shards. Idempotent.

    What the store has failed before is forgotten.

    Raises BrokerError, also if Redis serves another store than that of the job.
    """
    check_reachable(app)
    is_split = job.paths.plan.exists()
    step = "virnucpro.finish_job" if is_split else "virnucpro.split_job"
    priority = FINISHING_PRIORITY if is_split else SPLITTING_PRIORITY
    try:
        bind_store(app.backend.client, job.paths.store)
        clear_store_failures(app.backend.client, job)
        lane = coordinator_queue(job.spec.input_bytes)
        # Nobody asks for the result; one that is awaited asks Redis when it is forgotten, which may be away by then.
        app.send_task(step, args=(job.job_id,), queue=lane, priority=priority, retry=False, ignore_result=True)
    except (OperationalError, RedisError) as error:
        raise BrokerError(
            f"Redis at {masked_url(app.conf.broker_url)} does not take the job: {error}",
            hint="is it full, or does its user lack rights? see docs/operations.md",
        ) from None


def drop_waiting(app: Celery, job: Job) -> int:
    """Take the shards of a job that wait out of the queue; returns how many. Raises BrokerError."""
    check_reachable(app)
    queue = job.queue
    with app.connection_for_write() as connection:
        return empty(connection.default_channel.client, queue)


def workers(app: Celery) -> list[WorkerInfo]:
    """The workers that answer within PING_SECONDS, by name. Raises BrokerError."""
    check_reachable(app)
    inspect = app.control.inspect(timeout=PING_SECONDS)
    queues = inspect.active_queues() or {}
    active = inspect.active() or {} if queues else {}
    return [
        WorkerInfo(
            name,
            tuple(queue["name"] for queue in queues[name]),
            tuple(tuple(task["args"]) for task in active.get(name) or ()),
        )
        for name in sorted(queues)
    ]


def wait_for(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    poll_seconds: float = 0.5,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Yield the job's progress every `poll_seconds` until it is final.

    When nothing has changed for LEASES_WITHOUT_PROGRESS leases, it looks whether Redis has lost the job, and queues the
    next step again. A job that only waits for its turn, or is long in the making, has not been lost.
    """
    last_change, last_seen = clock(), None
    while True:
        progress = with_store_failures(app, job, job_progress(job))
        yield progress
        if progress.is_final:
            return
        seen = tuple(getattr(progress, name) for name in COUNTED_FIELDS)
        if seen != last_seen:
            last_change, last_seen = clock(), seen
        elif clock() - last_change > LEASES_WITHOUT_PROGRESS * lease_seconds:
            requeue_if_lost(app, job)
            last_change = clock()
        time.sleep(poll_seconds)


def with_store_failures(app: Celery, job: Job, progress: Progress) -> Progress:
    """`progress`, with what the workers could not write into a store that fails; as it is if Redis is away."""
    if progress.is_final:
        return progress
    try:
        return _with_failures(progress, store_failures_of(app.backend.client, job))
    except RedisError:
        return progress


def all_with_store_failures(app: Celery, snapshots: Sequence[Progress]) -> list[Progress]:
    """`with_store_failures` for many jobs, with one question to Redis, and none if all are final."""
    if all(progress.is_final for progress in snapshots):
        return list(snapshots)
    try:
        troubles = all_store_failures(app.backend.client)
    except RedisError:
        return list(snapshots)
    return [
        progress if progress.is_final else _with_failures(progress, troubles.get(progress.job_id))
        for progress in snapshots
    ]


def _with_failures(progress: Progress, trouble: StoreFailures | None) -> Progress:
    if trouble is None:
        return progress
    message = printable(trouble.message)
    if not trouble.ended:
        return replace(progress, message=message)
    return replace(progress, state=JobState.FAILED, message=message, exit_code=ExitCode.JOB_FAILED)


def requeue_if_lost(app: Celery, job: Job) -> bool:
    """Queue the next step of a job without a message that waits or is worked at. If Redis or the store fail, later."""
    try:
        check_reachable(app)
        with app.connection_for_write() as connection:
            if has_messages(connection.default_channel.client, job):
                return False
        enqueue(app, job)
    except (BrokerError, StoreError, OperationalError, RedisError):
        return False
    return True

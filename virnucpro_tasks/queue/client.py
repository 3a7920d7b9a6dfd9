"""The client's side of the queue: start, watch and requeue jobs, and list workers. Imports no code of tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.broker_url import masked_url
from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import BrokerError, ExitCode, StoreError, printable
from virnucpro_tasks.jobs.job import Job, is_stopped
from virnucpro_tasks.jobs.progress import JobState, Progress, job_progress
from virnucpro_tasks.keys import FINISHING_PRIORITY, HOLD_OFF_SECONDS, SPLITTING_PRIORITY, WATCH
from virnucpro_tasks.queue.arguments import SHARD_TASK
from virnucpro_tasks.queue.chords import retire_chords
from virnucpro_tasks.queue.job_queues import empty
from virnucpro_tasks.queue.messages import has_messages
from virnucpro_tasks.queue.redis_checks import (
    bind_store,
    check_reachable,
    full,
    is_full,
    store_is_missing,
    unreachable,
)
from virnucpro_tasks.queue.shard_shares import shares_of
from virnucpro_tasks.queue.store_failures import (
    StoreFailure,
    all_store_failures,
    clear_store_failures,
    store_failure_of,
)
from virnucpro_tasks.queue.worker_troubles import fresh_troubles
from virnucpro_tasks.system.file_operations import is_there

PING_SECONDS = 1.5
"""Workers count as asked when none has answered for so long."""

LEASES_WITHOUT_PROGRESS = 3
"""After so many leases without progress, a waiting client checks whether Redis has lost the job."""

STAGES = {
    "virnucpro.split_job": JobState.SPLITTING,
    SHARD_TASK: JobState.EMBEDDING,
    "virnucpro.finish_job": JobState.FINISHING,
}
"""The stage of a job that each task is a part of."""

COUNTED_FIELDS = ("state", "shards_done", "shards_quarantined")


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that a worker is at: its arguments and name, and for how long, as its worker says.

    `quiet_seconds` is the time since its last sign of progress. None is what the worker did not say.
    """

    arguments: tuple[Any, ...]
    name: str = SHARD_TASK
    seconds: float | None = None
    quiet_seconds: float | None = None

    @property
    def job_id(self) -> str:
        """The job that it is of; "" for a task without arguments."""
        return str(self.arguments[0]) if self.arguments else ""

    @property
    def shard(self) -> int | None:
        """The number of the shard that is embedded."""
        return self.arguments[1] if self.arguments[1:] else None

    @property
    def stage(self) -> str:
        """The stage of the job: splitting, embedding or finishing."""
        return str(STAGES.get(self.name, self.name))

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> RunningTask:
        """The task that an answer of Celery describes."""
        return cls(tuple(answer["args"]), answer["name"], answer.get("running_seconds"), answer.get("quiet_seconds"))


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process that answered: its node name, the queues it takes from, the tasks it is running.

    `uptime_seconds` is the age of its parent process, None if it did not say.
    """

    name: str
    queues: tuple[str, ...]
    running: tuple[RunningTask, ...]
    uptime_seconds: float | None = None

    def at(self, job_id: str) -> list[RunningTask]:
        """The tasks of a job that it is running."""
        return [task for task in self.running if job_id in task.arguments]


def enqueue(app: Celery, job: Job) -> None:
    """Queue the next stage of a job: splitting, or finishing, which queues missing shards itself. Idempotent.

    Earlier failures of the store no longer count. Raises BrokerError, also if Redis serves another store; StoreError
    for a job that is not there.
    """
    check_reachable(app)
    if not is_there(job.paths.job):
        raise store_is_missing(job.paths.root)
    is_split = is_there(job.paths.plan)
    task = "virnucpro.finish_job" if is_split else "virnucpro.split_job"
    priority = FINISHING_PRIORITY if is_split else SPLITTING_PRIORITY
    try:
        bind_store(app.backend.client, job.paths.store)
        clear_store_failures(app.backend.client, job.job_id)
        if job.spec.build:
            hold_off_older(app.backend.client)
        # The result is not used; an object for it would ask Redis when it is collected, which may be away by then.
        app.send_task(
            task,
            args=(job.job_id,),
            queue=job.coordinator_queue,
            priority=priority,
            retry=False,
            ignore_result=True,
        )
    except (OperationalError, RedisError) as error:
        if is_full(error):
            raise full(app) from None
        raise BrokerError(
            f"Redis at {masked_url(app.conf.broker_url)} does not take the job: {error}",
            hint="does its user lack rights? see docs/operations.md",
        ) from None


def hold_off_older_before(app: Celery) -> None:
    """Hold off 0.7.0 before there is anything of a job in the store that it could take for lost.

    Does nothing where Redis takes nothing: whoever queues the job says so.
    """
    with suppress(OperationalError, RedisError):
        hold_off_older(app.backend.client)


def hold_off_older(client: Any) -> None:
    """Keep coordinators of versions up to 0.7.0 from looking for lost jobs: those of later versions they would end.

    Raises redis.RedisError.
    """
    client.set(WATCH, own_build(), ex=HOLD_OFF_SECONDS)


def drop_waiting(app: Celery, job: Job) -> int:
    """Delete from Redis what a job that is over has there; returns how many shards waited. Raises BrokerError."""
    check_reachable(app)
    try:
        with app.connection_for_write() as connection:
            dropped = empty(connection.default_channel.client, job.queue)
        retire_chords(app, job.job_id)
    except (OperationalError, RedisError) as error:
        raise unreachable(app, error) from None
    return dropped


def workers(app: Celery, *, seconds: float = PING_SECONDS) -> list[WorkerInfo]:
    """Return the workers that answer, sorted by name, once none has for `seconds`. Raises BrokerError."""
    check_reachable(app)

    # Each question has a connection of its own: one from the pool is held until the answers are there, and meanwhile
    # another is wanted to send the question by, so that some at once could wait for each other for ever.
    app.control.mailbox.producer_pool = None

    def ask(question: str) -> dict[str, Any]:
        with app.connection_for_write() as connection:
            return getattr(app.control.inspect(timeout=seconds, connection=connection), question)() or {}

    try:
        # At once: each question waits for all of the time, since it is not known how many will answer.
        with ThreadPoolExecutor(3) as executor:
            queues, active, stats = executor.map(ask, ("active_queues", "active", "stats"))
    except (OperationalError, RedisError) as error:
        raise unreachable(app, error) from None
    return [
        WorkerInfo(
            name,
            tuple(queue["name"] for queue in queues[name] or ()),
            tuple(map(RunningTask.of, active.get(name) or ())),
            (stats.get(name) or {}).get("uptime"),
        )
        for name in sorted(queues)
    ]


def snapshot(app: Celery, job: Job) -> Progress:
    """Return the job's progress from its files, with what Redis knows if it answers: shares of shards, failures."""
    try:
        # Before the files: a shard that ends in between counts once, by its vectors.
        shares = shares_of(app.backend.client, job.job_id)
    except RedisError:
        return job_progress(job)
    return with_store_failures(app, job, job_progress(job, shares=shares))


def wait_for(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    poll_seconds: float = 0.5,
    glance_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Yield the job's progress every `poll_seconds` until it is final.

    With `glance_seconds` it looks so often in between whether the job has ended, which costs less than a snapshot.
    Tokens that were counted once stay counted, as long as no finished shard is lost.

    When nothing has changed for LEASES_WITHOUT_PROGRESS leases, it checks whether Redis has lost the job, and if so
    queues its next stage again. A job that waits for its turn, or whose shards take long, is not lost.
    """
    last_change, last_seen, most = clock(), None, None
    while True:
        progress = most = not_behind(snapshot(app, job), most)
        yield progress
        if progress.is_final:
            return
        seen = tuple(getattr(progress, name) for name in COUNTED_FIELDS)
        if seen != last_seen:
            last_change, last_seen = clock(), seen
        elif clock() - last_change > LEASES_WITHOUT_PROGRESS * lease_seconds:
            requeue_if_lost(app, job)
            last_change = clock()
        _sleep(job, poll_seconds, poll_seconds if glance_seconds is None else glance_seconds)


def _sleep(job: Job, seconds: float, glance_seconds: float) -> None:
    """Sleep for `seconds`, or until the job is finished, failed or cancelled."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, glance_seconds))
        if is_stopped(job.paths):
            return


def not_behind(progress: Progress, earlier: Progress | None) -> Progress:
    """Return `progress` with no fewer tokens than `earlier`, unless a finished shard was lost since."""
    if earlier is None or earlier.tokens_done is None or progress.tokens_done is None:
        return progress
    if progress.shards_done < earlier.shards_done or progress.tokens_total != earlier.tokens_total:
        return progress
    return replace(progress, tokens_done=max(progress.tokens_done, earlier.tokens_done))


def worker_troubles(app: Celery, queues: Sequence[str] | None = None) -> list[str]:
    """Return a line for each worker that has died lately: those of `queues` and coordinators, or all (None).

    Empty if Redis is away.
    """
    try:
        return fresh_troubles(app.backend.client, queues)
    except RedisError:
        return []


def with_store_failures(app: Celery, job: Job, progress: Progress) -> Progress:
    """Return `progress` with the last failure to write to the store, if there is one; unchanged if Redis is away."""
    if progress.is_final:
        return progress
    try:
        return _with_failure(progress, store_failure_of(app.backend.client, job))
    except RedisError:
        return progress


def all_with_store_failures(app: Celery, snapshots: Sequence[Progress]) -> list[Progress]:
    """Apply `with_store_failures` to many jobs with one call of Redis, or none if all are final."""
    if all(progress.is_final for progress in snapshots):
        return list(snapshots)
    try:
        failures = all_store_failures(app.backend.client)
    except RedisError:
        return list(snapshots)
    return [
        progress if progress.is_final else _with_failure(progress, failures.get(progress.job_id))
        for progress in snapshots
    ]


def _with_failure(progress: Progress, failure: StoreFailure | None) -> Progress:
    if failure is None:
        return progress
    message = printable(failure.message)
    if not failure.ended:
        return replace(progress, message=message)
    return replace(progress, state=JobState.FAILED, message=message, exit_code=ExitCode.JOB_FAILED)


def requeue_if_lost(app: Celery, job: Job) -> bool:
    """Queue the next stage of a job unless it has a message; returns whether it did. Redis or the store may be away."""
    try:
        check_reachable(app)
        with app.connection_for_write() as connection:
            if has_messages(connection.default_channel.client, job):
                return False
        enqueue(app, job)
    except (BrokerError, StoreError, OperationalError, RedisError):
        return False
    return True

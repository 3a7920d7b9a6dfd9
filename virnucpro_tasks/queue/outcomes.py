"""How a task's message ends.

| outcome    | when                                       | acknowledged by             | on disk afterwards          |
| ---------- | ------------------------------------------ | --------------------------- | --------------------------- |
| result     | the task returns: it is done, or the job   | Celery, once the result is  | vectors, tables, results    |
|            | was stopped or is unknown                  | stored                      |                             |
| failed     | the job has failed at this stage, or was   | Celery, once the result is  | failed.json                 |
|            | found failed by it: it shows in Flower     | stored                      |                             |
| ignored    | the arguments are none that this package   | Celery, at once             | nothing                     |
|            | sends                                      |                             |                             |
| rejected   | Redis or the store failed, or files were   | nobody: Celery puts it back | what was done; the attempt  |
|            | damaged while a stage was reading them     | into its queue              | says what happened          |
| reassigned | another worker has the message now         | that worker; this one only  | the attempts of both        |
|            |                                            | forgets it                  |                             |
| lost       | the computing process died, or a stopping  | nobody: the parent process  | the end of the attempt,     |
|            | worker hands its task back                 | puts it back into its queue | by the parent process       |

`PipelineTask`, `raise_if_failed` and `message_outcome` below decide the first five, in the computing process; the
worker's parent process carries out the last two (`virnucpro_workers.consumer.request`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.errors import DamagedError, JobDamagedError, JobError, StoreError, printable
from virnucpro_tasks.jobs.job import Failure, Job, open_for_work
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.queue.arguments import ArgumentsError, check_arguments
from virnucpro_tasks.queue.redis_checks import serves, store_is_missing
from virnucpro_tasks.queue.store_failures import Failing, clear_store_failures, count_store_failure
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.settings import REPEAT
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import raising_store_errors, read_checked

log = logging.getLogger(__name__)

RETRY_PAUSE_SECONDS = 1.0
"""A message that is put back for a failure of Redis, or for files that were damaged, waits so long before."""


class JobHasFailedError(Exception):
    """The job of a task has failed. A shard's task never raises it: the chord would lose its callback."""


class MessageReassigned(Ignore):
    """Another worker has this task's message now: there is no result, and nothing to acknowledge."""


class PipelineTask(Task):
    """The base of all tasks: refuses messages with wrong arguments, and ends quietly for a job that is gone."""

    abstract = True
    throws = (JobHasFailedError,)
    """Celery logs it as a line, without a traceback."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        try:
            check_arguments(self.name, arguments, options)
        except ArgumentsError as error:
            log.error("message refused: %s", error)
            raise Ignore from None
        try:
            # Not Task.__call__, which would put a request without an id on top of the one that is running.
            with self.app.working():
                return self.run(*arguments, **options)
        except JobError as error:
            log.warning("%s", error)
            return {"job": arguments[0], "state": "stopped"}


def raise_if_failed(app: Celery, job_id: str) -> None:
    """Raise JobHasFailedError for a job that has failed, so that the task of its stage shows as failed in Flower."""
    with suppress(OSError, StoreError, DamagedError):
        failure = read_checked(JobPaths.of(app.settings.store, job_id).failed, Failure)
        log.warning("job=%s has failed: %s", job_id, printable(failure.message))
        # Names of files are not to pass through Redis, as the reason would.
        raise JobHasFailedError(f"job={job_id} has failed: 'virnucpro status {job_id}' says why")


@contextmanager
def message_outcome(app: Celery, job_id: str) -> Iterator[Job]:
    """The job of a task. Rejects the message for failures of Redis or the store, which say nothing against the job.

    Failures of the store are counted in Redis; if they last, the job ends, and the block ends quietly. So it does for a
    job whose files were removed under it. Raises JobError for a job that is not in the store, or is damaged.
    """
    client = app.backend.client
    job: Job | None = None
    try:
        try:
            with raising_store_errors(), _raising_missing_store(app):
                job = open_for_work(app.settings.store, job_id)
                yield job
        except StoreError as error:
            if not count_store_failure(
                client,
                Failing.here(job_id, job),
                error,
                limit_seconds=app.settings.store_failure_seconds,
                one_shot=app.settings.resumed_by == REPEAT,
            ):
                raise Reject(error, requeue=True) from error
        else:
            clear_store_failures(client, job_id)
    except (OperationalError, RedisError, StageRetryError) as error:
        # The message comes back at once, to this worker or another one.
        time.sleep(RETRY_PAUSE_SECONDS)
        raise Reject(error, requeue=True) from error
    except FileNotFoundError:
        if job is None or is_there(job.paths.job):
            raise
        log.warning("job=%s was removed while it was worked at", job_id)


@contextmanager
def _raising_missing_store(app: Celery) -> Iterator[None]:
    """Raise StoreError if a job is missing because all of the store is, as where it is not mounted."""
    try:
        yield
    except (JobError, FileNotFoundError) as error:
        if not isinstance(error, JobDamagedError):
            require_served_store(app)
        raise


def require_served_store(app: Celery) -> None:
    """Raise StoreError unless the store is there, and the one that Redis serves."""
    if not serves(app.backend.client, app.settings.store):
        raise store_is_missing(app.settings.store)

"""How a task's message ends.

| outcome    | when                                       | acknowledged by             | on disk afterwards          |
| ---------- | ------------------------------------------ | --------------------------- | --------------------------- |
| result     | the task returns: it is done, or the job   | Celery, once the result is  | vectors, tables, results,   |
|            | has failed, was stopped or is unknown      | stored                      | or failed.json              |
| ignored    | the arguments are none that this package   | Celery, at once             | nothing                     |
|            | sends                                      |                             |                             |
| rejected   | Redis or the store failed, or files were   | nobody: Celery puts it back | what was done; the attempt  |
|            | damaged while a stage was reading them     | into its queue              | says what happened          |
| reassigned | another worker has the message now         | that worker; this one only  | the attempts of both        |
|            |                                            | forgets it                  |                             |
| lost       | the computing process died, or a stopping  | nobody: the parent process  | the end of the attempt,     |
|            | worker hands its task back                 | puts it back into its queue | by the parent process       |

`PipelineTask` and `message_outcome` below decide the first four, in the computing process; the worker's parent process
carries out the last two (`virnucpro_workers.consumer.request`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.errors import JobError, StoreError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.queue.arguments import ArgumentsError, check_arguments
from virnucpro_tasks.queue.store_failures import clear_store_failures, count_store_failure
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.settings import REPEAT
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import raising_store_errors

log = logging.getLogger(__name__)

RETRY_PAUSE_SECONDS = 1.0
"""A message that is put back for a failure of Redis, or for files that were damaged, waits so long before."""


class MessageReassigned(Ignore):
    """Another worker has this task's message now: there is no result, and nothing to acknowledge."""


class PipelineTask(Task):
    """The base of all tasks: refuses messages with wrong arguments, and ends quietly for a job that is gone."""

    abstract = True

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


@contextmanager
def message_outcome(app: Celery, job: Job) -> Iterator[None]:
    """Reject the message for failures of Redis or the store, which say nothing against the job.

    Failures of the store are counted in Redis; one too many ends the job, and the block ends quietly. So it does for a
    job whose files were removed under it.
    """
    client = app.backend.client
    try:
        try:
            with raising_store_errors():
                yield
        except StoreError as error:
            if not count_store_failure(client, job, error, one_shot=app.settings.resumed_by == REPEAT):
                raise Reject(error, requeue=True) from error
        else:
            clear_store_failures(client, job)
    except (OperationalError, RedisError, StageRetryError) as error:
        # The message comes back at once, to this worker or another one.
        time.sleep(RETRY_PAUSE_SECONDS)
        raise Reject(error, requeue=True) from error
    except FileNotFoundError:
        if is_there(job.paths.job):
            raise
        log.warning("job=%s was removed while it was worked at", job.job_id)

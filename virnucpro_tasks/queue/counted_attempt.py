"""Splitting and finishing that kill their process each time must end too: their attempts are counted like a shard's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from virnucpro_tasks.errors import ExitCode, JobError
from virnucpro_tasks.files import raising_store_errors
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.recovery.attempts import History, read_attempts, record


@contextmanager
def counted_attempt(job: Job, step: str, *, limit_seconds: float) -> Iterator[None]:
    """Do `step` of a job, unless `max_attempts` attempts at it were lost with their process: then the job has failed.

    Raises JobError if so, StoreError if the attempt cannot be noted. Whatever the step raises itself says that its
    process lives.
    """
    if is_stopped(job.paths):
        yield
        return
    file = job.paths.stage_attempts(step)
    with raising_store_errors():
        history = History.of(read_attempts(file))
        if history.weight(step) >= job.spec.parameters.max_attempts:
            message = f"{step} was given up after {history.verdict(step)}"
            fail_job(job, message, exit_code=ExitCode.JOB_FAILED)
            raise JobError(message, job_id=job.job_id, hint="'virnucpro resume' tries it anew")
        record(file, step, parent=os.getppid(), limit_seconds=limit_seconds)
    try:
        yield
    finally:
        with suppress(OSError):
            record(file, step, handed_back=True)

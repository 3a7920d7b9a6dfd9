"""Splitting and finishing: their attempts are counted like a shard's, and their errors end the job."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from virnucpro_tasks.errors import ExitCode, JobError, StoreError, VirnucproError
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.recovery.events import Began, Event, Failed, HandedBack, append_event, read_events
from virnucpro_tasks.recovery.history import History
from virnucpro_tasks.system.causes import cause_of_words
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import raising_store_errors

log = logging.getLogger(__name__)


class StageRetryError(Exception):
    """Files were damaged while a stage was reading them: it is to begin anew, and repairs them first."""


@contextmanager
def stage_attempt(job: Job, stage: str, *, limit_seconds: float) -> Iterator[None]:
    """Count an attempt at a stage of a job; the job fails once its failures weigh `max_attempts` (`History.weight`).

    Failures are attempts that were lost with their process, and StageRetryErrors; other exceptions do not count, since
    they prove that the process lives. Raises JobError if the job fails, StoreError if nothing can be recorded.
    """
    if is_stopped(job.paths):
        yield
        return
    file = job.paths.stage_attempts(stage)
    with raising_store_errors():
        history = History.of(read_events(file))
        if history.weight(stage) >= job.spec.parameters.max_attempts:
            message = f"{stage} was given up after {history.verdict(stage)}"
            fail_job(job, message, exit_code=ExitCode.JOB_FAILED)
            raise JobError(message, job_id=job.job_id, hint="'virnucpro resume' tries it anew")
        append_event(file, Began(probe=stage, parent=os.getppid(), limit_seconds=limit_seconds))
    ended: Event = HandedBack(probe=stage)
    try:
        yield
    except StageRetryError as error:
        ended = Failed(probe=stage, reason=str(error))
        raise
    finally:
        with suppress(OSError):
            append_event(file, ended)


@contextmanager
def failing_job(job: Job, stage: str) -> Iterator[None]:
    """Fail `job` if the block raises: the reason is written to failed.json. Raises StoreError and StageRetryError.

    Refused memory is a StoreError too: no record needs much of it, so another host, or this one later, may have it.
    A missing file is worth another attempt, since the store may have been away; FileNotFoundError is raised if it is
    away now. A job that was removed needs no reason.
    """
    try:
        with raising_store_errors():
            yield
    except (StoreError, StageRetryError):
        raise
    except FileNotFoundError as error:
        # In this order: the store may come back in between.
        is_store_there = is_there(job.paths.root.parent)
        if is_there(job.paths.job):
            raise StageRetryError(f"{stage} failed: {error}") from error
        if not is_store_there:
            raise
    except MemoryError as error:
        limit = cause_of_words("MemoryError")
        raise StoreError(f"{stage} failed: {limit.why}", hint=limit.remedy) from error
    except VirnucproError as error:
        fail_job(job, str(error), exit_code=error.exit_code)
    except Exception as error:
        log.exception("job=%s %s failed", job.job_id, stage)
        fail_job(job, f"{stage} failed: {type(error).__name__}: {error}", exit_code=ExitCode.UNEXPECTED)

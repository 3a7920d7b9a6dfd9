"""Lists the jobs of a store that have failed, with the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, ExitCode
from virnucpro_tasks.jobs.job import Failure, job_ids
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.system.file_operations import exists, persistently
from virnucpro_tasks.system.files import read_checked


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that has failed at `failed_at` (seconds since 1970), and the exit code of a command that waits for it."""

    job_id: str
    failed_at: float
    exit_code: int


def failed_jobs(store: Path, *, since: float = 0.0) -> Iterator[FailedJob]:
    """Yield the failed jobs of a store, oldest first, that have failed at `since` or later. Raises OSError."""
    for job_id in job_ids(store):
        paths = JobPaths.of(store, job_id)
        # By reading, not by looking first: a job may be removed or resumed between the two.
        with suppress(FileNotFoundError):
            failed_at = persistently(paths.failed.stat).st_mtime
            if failed_at >= since and not exists(paths.run):
                yield FailedJob(job_id, failed_at, _exit_code(paths.failed))


def _exit_code(failed: Path) -> int:
    try:
        return read_checked(failed, Failure).exit_code
    except DamagedError:
        return ExitCode.JOB_FAILED

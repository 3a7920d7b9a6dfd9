"""The result files of a finished job, checked against their digests in run.json."""

from __future__ import annotations

import shlex
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, job_progress, read_report
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import file_matches, file_sha256


def result_files(job: Job) -> list[Path]:
    """All result files of `job` by name, COMMIT_MARK last.

    Raises JobError if the job is not finished, DamagedError for a file that is missing or changed.
    """
    if not is_there(job.paths.run):
        raise _without_results(job)
    digests = read_report(job.paths.run).digests
    for name, sha256 in (*digests.items(), (COMMIT_MARK, file_sha256(job.paths.run))):
        path = job.paths.results / name
        if not file_matches(path, sha256):
            raise damaged_result(job, path)
    log = [LOG_FILE] if is_there(job.paths.results / LOG_FILE) else []
    # By their names: a listing may lack a file, or have those of other programs.
    return [job.paths.results / name for name in (*sorted([*digests, *log]), COMMIT_MARK)]


def _without_results(job: Job) -> JobError:
    progress = job_progress(job)
    if progress.state is JobState.FAILED:
        return JobError(f"there are no results: it has failed: {progress.message}", job_id=job.job_id)
    if progress.state is JobState.CANCELLED:
        hint = f"'virnucpro resume {job.job_id}' continues it"
        return JobError("there are no results: it was cancelled", job_id=job.job_id, hint=hint)
    hint = f"'virnucpro watch {job.job_id}' follows it"
    return JobError("not finished: there are no results yet", job_id=job.job_id, hint=hint)


def has_complete_results(job: Job) -> bool:
    """Whether the folder of results is there with all its files, as they were written.

    Where renaming a folder means to copy its files it may hold some of them only.
    """
    try:
        digests = read_report(job.paths.results / COMMIT_MARK).digests
    except (FileNotFoundError, DamagedError):
        return False
    return all(file_matches(job.paths.results / name, sha256) for name, sha256 in digests.items())


def damaged_result(job: Job, path: Path) -> DamagedError:
    """The error for a damaged file of a finished job: only removing the job has it computed again."""
    remove = f"'virnucpro remove {job.job_id} --store {shlex.quote(str(job.paths.store))}', or delete {job.paths.root}"
    return DamagedError(path, hint=f"{remove}; the same command then computes it again")

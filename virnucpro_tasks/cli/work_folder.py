"""The work folder of a one-shot run, which the same command continues from, and which is removed with its last job."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from virnucpro_tasks.errors import JobError, OutputError
from virnucpro_tasks.jobs.deduplicate import content_key, deduplicate, replace_submission
from virnucpro_tasks.jobs.job import Job, job_ids, open_job, remove_job
from virnucpro_tasks.jobs.leftovers import left_in, remove_leftover, remove_run_folders, remove_unfinished
from virnucpro_tasks.local_workers import LOG_FILE
from virnucpro_tasks.paths import store_id_file, submission_file
from virnucpro_tasks.system.file_operations import exists, persistently, read_bytes

WORK_FOLDER = ".virnucpro-work"
"""Folder of the job inside the output folder while it runs; the same command given again continues from it."""


def open_work(output: Path) -> None:
    """Remove what a killed run left unfinished in `output` and its work folder; the caller has it for itself.

    Raises OutputError if there is something else in its place.
    """
    work = output / WORK_FOLDER
    if persistently(work.is_symlink) or (exists(work) and not persistently(work.is_dir)):
        raise OutputError(
            f"{work} is not a folder: the work of a run is to be there", hint="move it away, or choose another folder"
        )
    for path in left_in(output):
        remove_leftover(path)
    remove_unfinished(work)
    remove_run_folders(work)


def other_inputs(output: Path, job: Job | None = None) -> list[str]:
    """The first inputs of all jobs in the work folder but `job`: commands that were not repeated until their end."""
    names = []
    for job_id in job_ids(output / WORK_FOLDER):
        if job is None or job_id != job.job_id:
            with suppress(JobError):
                names.append(open_job(output / WORK_FOLDER, job_id).spec.inputs[0].name)
    return names


def start_over(job: Job) -> Job:
    """`job`, which no earlier one takes the place of: those in its work folder that do the same are removed."""
    _remove_equal(job)
    replace_submission(job.paths.store, job)
    return job


def go_on(job: Job) -> Job:
    """The job of an earlier command that did the same, or else `job`; any others that do the same are removed.

    Raises as `deduplicate` does.
    """
    found = deduplicate(job.paths.store, job).job
    # A command that was killed before it had noted its job: nobody would find that again.
    _remove_equal(found)
    return found


def _remove_equal(job: Job) -> None:
    key = content_key(job.spec)
    for job_id in job_ids(job.paths.store):
        if job_id != job.job_id:
            with suppress(JobError):
                other = open_job(job.paths.store, job_id)
                if content_key(other.spec) == key:
                    remove_job(other, force=True)


def remove_work(job: Job) -> None:
    """Remove `job`, and the work folder unless it holds another job, or files that are none of a run."""
    remove_job(job, force=True)
    remove_if_empty(job.paths.store)


def remove_if_empty(work: Path) -> None:
    """Remove a work folder that holds no job; files that are none of a run stay, and the folder with them.

    The caller has the output folder for itself.
    """
    if persistently(work.is_symlink):
        return
    left = set(job_ids(work))
    for note in _notes(work):
        with suppress(OSError):
            if read_bytes(note).decode(errors="replace").strip() not in left:
                persistently(note.unlink)
    if left:
        return
    for file in (store_id_file(work), work / LOG_FILE):
        with suppress(OSError):
            persistently(partial(file.unlink, missing_ok=True))
    for folder in (work / "submissions", work / "jobs", work):
        with suppress(OSError):
            persistently(folder.rmdir)


def _notes(work: Path) -> list[Path]:
    with suppress(OSError):
        return persistently(lambda: list(submission_file(work, "").iterdir()))
    return []

"""Begins an unfinished job anew with the build of this command, so that its results are of one build alone."""

from __future__ import annotations

from importlib.metadata import version

import msgspec

from virnucpro_tasks.build import DISTRIBUTION, own_build
from virnucpro_tasks.errors import JobError
from virnucpro_tasks.jobs.deduplicate import note_submission
from virnucpro_tasks.jobs.job import Job, reopen_job
from virnucpro_tasks.system.file_operations import exists, remove_tree
from virnucpro_tasks.system.files import write_checked


def require_input_of_its_own(job: Job) -> None:
    """Raise JobError for a job that cannot begin anew: it is finished, or its shards were taken from another job."""
    if exists(job.paths.run):
        raise JobError("already finished", job_id=job.job_id)
    if job.spec.rescored is not None:
        raise JobError(
            "it scores the vectors of another job, by one command", job_id=job.job_id, hint="repeat 'virnucpro rescore'"
        )


def begin_anew(job: Job) -> Job:
    """Delete all that was computed for a cancelled job, and let it begin with this build; returns the changed job.

    Its input, its head and what it has taken over from an earlier tool stay. No worker may hold a message of it. If
    this is interrupted, the job is still cancelled. Raises JobError as `require_input_of_its_own` does, and OSError.
    """
    require_input_of_its_own(job)
    paths = job.paths
    paths.plan.unlink(missing_ok=True)
    for folder in (
        paths.results,
        paths.kept_scores,
        paths.embeddings,
        paths.quarantine,
        paths.attempts_folder,
        paths.workers,
        paths.shards,
    ):
        remove_tree(folder)
    paths.make_folders()
    spec = msgspec.structs.replace(job.spec, version=version(DISTRIBUTION), build=own_build())
    write_checked(paths.job, spec)
    begun = Job(paths, spec)
    reopen_job(begun, retry_quarantined=False)
    note_submission(paths.store, begun)
    return begun

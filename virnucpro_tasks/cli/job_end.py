"""How a job has ended: a message for a person, a report for a program."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from virnucpro_tasks.cli.complaint import complain
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.listing import JobListing
from virnucpro_tasks.jobs.progress import JobState, Progress, RunReport, read_report
from virnucpro_tasks.system.file_operations import exists

WITHOUT_RESULTS = frozenset({JobState.FAILED, JobState.CANCELLED})


def tell_end(progress: Progress, *, names_job: bool = True, quiet: bool = False) -> None:
    """Print how a job has ended: as an error, even if `quiet`, if it has no results.

    With `names_job` false its id is left out, and how to continue it: nobody can name the job of a one-shot run.
    """
    if progress.state not in WITHOUT_RESULTS:
        if progress.message:
            say(progress.message, quiet=quiet)
        return
    if not names_job:
        complain(progress.message)
        return
    how = f" ('virnucpro resume {progress.job_id}' continues it)" if progress.state is JobState.CANCELLED else ""
    complain(f"job {progress.job_id}: {progress.message}{how}")


def end_report(progress: Progress, job: Job, output: Path | None) -> dict[str, Any]:
    """The end of a deployed job as plain values for JSON, with the folder to which its results were copied."""
    report = None
    with suppress(FileNotFoundError):  # it has no results, or was removed
        report = read_report(job.paths.run)
    identity = JobListing(job.paths.store).identity(job)
    copied = {"output": _absolute(output) if report else None}
    return progress.as_dict() | identity.as_dict() | copied | results_report(report)


def one_shot_report(progress: Progress, job: Job, output: Path, results: RunReport | None) -> dict[str, Any]:
    """The end of a one-shot run as plain values for JSON; its job only if that is still there, to be continued."""
    kept = {"job_id": job.job_id, "store": _absolute(job.paths.store)} if exists(job.paths.job) else {}
    return {
        "output": _absolute(output),
        "state": str(progress.state),
        "exit_code": int(progress.exit_code),
        "message": progress.message,
        **results_report(results),
        **kept,
    }


def results_report(results: RunReport | None) -> dict[str, Any]:
    """The content of results for JSON: numbers of records, and whether they are of a demonstration."""
    return {
        "demonstration": None if results is None else results.demonstration,
        "records": None if results is None else results.record_counts(),
    }


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())

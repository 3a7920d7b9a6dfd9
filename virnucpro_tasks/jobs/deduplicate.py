"""Submitting what was submitted before finds that job instead of computing it again."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, JobError
from virnucpro_tasks.files import store_write_error
from virnucpro_tasks.jobs.job import RESULT_PARAMETERS, Job, JobSpec, open_job, remove_job, reopen_job
from virnucpro_tasks.jobs.progress import JobState, job_progress, read_report
from virnucpro_tasks.paths import submission_file


@dataclass(frozen=True, slots=True)
class Submission:
    """The job to go on with. `state` is where it stood if it was there before, None if it is the new one."""

    job: Job
    state: JobState | None


def content_key(spec: JobSpec) -> str:
    """SHA-256 (hex) of everything that results depend on: contents and names of the inputs, the parameters that change
    results, the bundle, the version of this package. How the work is cut up, and who asked, is left out.
    """
    facts = {
        "inputs": [[entry.sha256, Path(entry.name).name] for entry in spec.inputs],
        "parameters": {name: getattr(spec.parameters, name) for name in (*RESULT_PARAMETERS, "keep_embeddings")},
        "bundle": spec.bundle_digest,
        "version": spec.version,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def deduplicate(store: Path, job: Job) -> Submission:
    """An older job of `store` with the same content key, if it has results or can go on to them; else `job` itself.

    If there is one, `job` is removed, and what stopped the older one (cancelled, failed) is taken back. Of several
    clients at once all get the same job. A finished job with quarantined records is not taken: they deserve
    another try. Raises StoreError, and removes `job`, if that cannot be noted.
    """
    with _removing_on_error(job), _locked(submission_file(store, content_key(job.spec))) as note:
        older = _usable(store, note.read_text().strip())
        if older is None or older.job_id == job.job_id:
            note.write_text(f"{job.job_id}\n")
            return Submission(job, None)
        state = job_progress(older).state
        remove_job(job, force=True)
        if state != JobState.DONE:
            reopen_job(older, retry_quarantined=False)
        return Submission(older, state)


def replace_submission(store: Path, job: Job) -> None:
    """Make `job` the one that later submissions of the same work find. Raises StoreError as `deduplicate` does."""
    with _removing_on_error(job), _locked(submission_file(store, content_key(job.spec))) as note:
        note.write_text(f"{job.job_id}\n")


def _usable(store: Path, job_id: str) -> Job | None:
    if not job_id:
        return None
    try:
        job = open_job(store, job_id)
    except JobError:
        return None
    if not job.paths.run.exists():
        return job
    try:
        report = read_report(job.paths.run)
    except DamagedError:
        return None
    complete = all((job.paths.results / name).is_file() for name in report.sha256)
    quarantined = report.counts.records.quarantined or report.counts.chunks.quarantined
    return job if complete and not quarantined else None


@contextmanager
def _removing_on_error(job: Job) -> Iterator[None]:
    """A job that nobody is told of must not be found by a coordinator and computed."""
    try:
        yield
    except OSError as error:
        remove_job(job, force=True)
        raise store_write_error(error, job.paths.root) from error


@contextmanager
def _locked(note: Path) -> Iterator[Path]:
    """`note`, which exists, for this process alone."""
    note.parent.mkdir(parents=True, exist_ok=True)
    with note.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield note

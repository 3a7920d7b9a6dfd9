"""Deduplicates submissions: equal work (inputs, parameters, bundle, version) finds the older job and its results."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, JobError, StoreError, VirnucproError
from virnucpro_tasks.jobs.authority import foreign_owner
from virnucpro_tasks.jobs.job import Job, JobSpec, open_job, remove_job, reopen_job
from virnucpro_tasks.jobs.job_names import claim_name
from virnucpro_tasks.jobs.progress import JobState, job_progress, read_report
from virnucpro_tasks.jobs.submission_lock import submission_lock
from virnucpro_tasks.paths import submission_file
from virnucpro_tasks.system.file_operations import exists, is_there, persistently
from virnucpro_tasks.system.files import store_write_error

OTHERS_READ, GROUP_READ = 0o005, 0o050


@dataclass(frozen=True, slots=True)
class Submission:
    """The job to use for a submission. `state` is that of an older job when it was found, None for the new job."""

    job: Job
    state: JobState | None


def content_key(spec: JobSpec) -> str:
    """SHA-256 (hex) of all that results depend on: contents and names of the inputs, the parameters that change
    results, the bundle, the version of this package and its build; not the size of shards, nor the owner.
    """
    facts = {
        "inputs": [
            [entry.sha256, Path(entry.name).name, *([entry.sample, entry.mate] if entry.sample else [])]
            for entry in spec.inputs
        ],
        "parameters": spec.parameters.for_results() | {"keep_embeddings": spec.parameters.keep_embeddings},
        "bundle": spec.bundle_digest,
        "version": spec.version,
    }
    if spec.build:
        facts["build"] = spec.build
    if spec.imported is not None:
        facts["imported"] = spec.imported.digest
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def deduplicate(
    store: Path, job: Job, *, name: str | None = None, before_reopening: Callable[[Job], None] = lambda job: None
) -> Submission:
    """Return an older job in `store` with the same content key, or else `job`.

    If there is an older one, `job` is removed, and the older one is reopened if it was cancelled or failed. Clients
    that submit at the same time get the same job, if each may read that of the other. One of another user that was
    stopped is not his to continue. A finished job with quarantined records, with missing result files
    or a damaged run.json is not used again. The returned job gets the `name`.

    Raises StoreError if the submission cannot be noted, SettingsError if another job has the name; then `job` is
    removed, and an older one stays as it is. So it does if `before_reopening`, which is called with one that was
    stopped, raises an error.
    """
    notes = _notes(store, job)
    with _removing_on_error(job), submission_lock(notes[0]):
        older = next((found for note in notes if (found := _usable(store, _noted(note))) is not None), None)
        if name is not None:
            claim_name(store, name, (older or job).job_id)
        if older is None or older.job_id == job.job_id:
            _write(notes[0], job)
            return Submission(job, None)
        state = job_progress(older).state
        if state in (JobState.CANCELLED, JobState.FAILED):
            before_reopening(older)
        remove_job(job, force=True)
        if state != JobState.DONE:
            reopen_job(older, retry_quarantined=False)
        return Submission(older, state)


def replace_submission(store: Path, job: Job, *, name: str | None = None) -> None:
    """Note `job` as the one that later submissions of equal work find, and give it the `name`.

    Raises StoreError and SettingsError as `deduplicate` does.
    """
    note = _notes(store, job)[0]
    with _removing_on_error(job), submission_lock(note):
        if name is not None:
            claim_name(store, name, job.job_id)
        _write(note, job)


def note_submission(store: Path, job: Job) -> None:
    """Let later submissions of equal work find `job`, unless they find another one. Without a note the work is done
    again, so an error of the store is none of the job.
    """
    with suppress(OSError, StoreError):
        notes = _notes(store, job)
        with submission_lock(notes[0]):
            if all(_usable(store, _noted(note)) is None for note in notes):
                _write(notes[0], job)


def _notes(store: Path, job: Job) -> list[Path]:
    """The files that may name a job of this work: first the one for those who may read `job`, all, a group or a user.

    So nobody learns from a note that somebody else has submitted the same, nor finds a job that is closed to him.
    """
    facts = persistently(job.paths.root.stat)
    key = content_key(job.spec)
    audiences = {"": OTHERS_READ, f"-g{facts.st_gid}": GROUP_READ, f"-u{facts.st_uid}": 0}
    notes = {submission_file(store, f"{key}{name}"): mask for name, mask in audiences.items()}
    fitting = (note for note, mask in notes.items() if facts.st_mode & mask == mask and _is_writable(note))
    own = next(fitting, list(notes)[-1])
    return [own, *(note for note in notes if note != own)]


def _is_writable(note: Path) -> bool:
    return not exists(note) or os.access(note, os.R_OK | os.W_OK)


def _noted(note: Path) -> str:
    with suppress(FileNotFoundError, PermissionError):
        return persistently(note.read_bytes).decode(errors="replace").strip()
    return ""


def _write(note: Path, job: Job) -> None:
    # Not renamed into place: the lock is on this file.
    persistently(lambda: note.write_text(f"{job.job_id}\n"))


def _usable(store: Path, job_id: str) -> Job | None:
    if not job_id:
        return None
    try:
        job = open_job(store, job_id)
    except (JobError, PermissionError):
        return None
    if not exists(job.paths.run):
        stopped = exists(job.paths.cancelled) or exists(job.paths.failed)
        return None if stopped and foreign_owner(job.paths) is not None else job
    try:
        report = read_report(job.paths.run)
    except DamagedError:
        return None
    complete = all(is_there(job.paths.results / name) for name in report.digests)
    quarantined = report.counts.records.quarantined or report.counts.chunks.quarantined
    return job if complete and not quarantined else None


@contextmanager
def _removing_on_error(job: Job) -> Iterator[None]:
    """Remove `job` on an error, because its client gets no job id: no worker must find and compute it."""
    try:
        yield
    except VirnucproError:
        remove_job(job, force=True)
        raise
    except OSError as error:
        remove_job(job, force=True)
        raise store_write_error(error, job.paths.root) from error

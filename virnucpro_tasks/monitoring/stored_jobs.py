"""The jobs of a store, read again only where something has changed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.jobs.find import shortest_beginnings
from virnucpro_tasks.jobs.job import Job, job_ids, open_job
from virnucpro_tasks.jobs.listing import JobIdentity, JobListing
from virnucpro_tasks.jobs.progress import JobState, Progress, job_progress
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job that is not over or has failed: what its files say.

    `short_id` is the shortest beginning of its id that no other job of the store has, `changed_at` the time when its
    files last showed progress, in seconds since the epoch.
    """

    job: Job
    progress: Progress
    identity: JobIdentity
    short_id: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class StoredJobs:
    """The jobs of a store: how many in each state, how many that cannot be read, those that are not over, and those
    that have failed, both in the order of submission."""

    by_state: dict[JobState, int]
    unreadable: int
    open: tuple[StoredJob, ...]
    failed: tuple[StoredJob, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """A job as it was read while its files had these times of change; `stored` is None if it is done or cancelled."""

    times: tuple[int, ...]
    state: JobState | None
    stored: StoredJob | None


class JobReader:
    """Reads the jobs of a store again and again; of a job whose files have not changed nothing but their times."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    def read(self, running: Collection[str] = ()) -> StoredJobs:
        """Read all jobs; those with the ids `running`, at which workers are, in any case. Raises OSError."""
        ids = job_ids(self._store)
        listing = JobListing(self._store)
        self._known = {job_id: self._read(job_id, listing, again=job_id in running) for job_id in ids}
        found = self._known.values()
        short = shortest_beginnings(ids)
        states = [known.state for known in found if known.state is not None]
        kept = [replace(one, short_id=short[one.job.job_id]) for known in found if (one := known.stored) is not None]
        kept.sort(key=lambda one: one.job.spec.submission_order)
        return StoredJobs(
            {state: states.count(state) for state in JobState},
            len(self._known) - len(states),
            open=tuple(one for one in kept if not one.progress.is_final),
            failed=tuple(one for one in kept if one.progress.is_final),
        )

    def _read(self, job_id: str, listing: JobListing, *, again: bool) -> _Known:
        # Before reading: what changes meanwhile is read the next time.
        times = _times_of(JobPaths.of(self._store, job_id))
        known = self._known.get(job_id)
        if known is not None and known.times == times and not again:
            return known
        try:
            job = open_job(self._store, job_id)
            progress = job_progress(job)
            if progress.is_final and progress.state is not JobState.FAILED:
                return _Known(times, progress.state, None)
            changed_at = max(times) / 1e9
            return _Known(times, progress.state, StoredJob(job, progress, listing.identity(job), job_id, changed_at))
        except VirnucproError:
            return _Known(times, None, None)


def _times_of(paths: JobPaths) -> tuple[int, ...]:
    """Times of change, in nanoseconds, of what tells the state of a job: 0 for what is not there."""
    stages = (paths.stage_attempts(SPLITTING), paths.stage_attempts(FINISHING))
    looked_at = (paths.root, paths.shards, paths.embeddings, paths.quarantine, paths.attempts_folder, *stages)
    return tuple(map(_changed_at, looked_at))


def _changed_at(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0

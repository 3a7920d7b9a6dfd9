from __future__ import annotations

import time

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs import job as jobs
from virnucpro_tasks.jobs.job import cancel_job, fail_job
from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.monitoring import stored_jobs
from virnucpro_tasks.monitoring.stored_jobs import JobReader
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings


def test_a_job_is_read_again_only_if_its_files_have_changed_or_it_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two jobs that were read
    first, second = make_job(settings, SAMPLE), make_job(settings, SAMPLE, chunk_length=300)
    reader, read = JobReader(settings.store), []
    progress_of = stored_jobs.job_progress
    monkeypatch.setattr(stored_jobs, "job_progress", lambda job: read.append(job.job_id) or progress_of(job))
    assert [one.job.job_id for one in reader.read().open] == [first.job_id, second.job_id]
    assert read == sorted([first.job_id, second.job_id])
    # When nothing has changed, nothing is read; a job at which a worker is is read in any case
    reader.read()
    reader.read(running=[second.job_id])
    assert read[2:] == [second.job_id]
    # When one is split, it is read again
    list(split_files(first))
    found = reader.read()
    assert read[3:] == [first.job_id]
    assert found.by_state[JobState.EMBEDDING] == found.by_state[JobState.QUEUED] == 1


def test_jobs_that_are_over_or_damaged_are_counted_alone(settings: Settings) -> None:
    failed, cancelled, damaged, left = (
        make_job(settings, SAMPLE, chunk_length=length) for length in (300, 400, 500, 600)
    )
    fail_job(failed, "no", exit_code=ExitCode.JOB_FAILED)
    cancel_job(cancelled)
    damaged.paths.job.write_text("{")
    found = JobReader(settings.store).read()
    assert (found.by_state[JobState.FAILED], found.by_state[JobState.CANCELLED], found.unreadable) == (1, 1, 1)
    assert [one.job.job_id for one in found.open] == [left.job_id]
    assert [one.job.job_id for one in found.failed] == [failed.job_id]
    assert found.open[0].short_id and left.job_id.startswith(found.open[0].short_id)


def test_jobs_of_one_second_are_in_the_order_of_their_submission(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"20260101t000000z-{letter * 16}" for letter in "zma"]
    for job_id in ids:
        monkeypatch.setattr(jobs, "new_job_id", lambda job_id=job_id: job_id)
        make_job(settings, SAMPLE)
        # Two jobs of one millisecond are ordered by id.
        time.sleep(0.002)
    assert [one.job.job_id for one in JobReader(settings.store).read().open] == ids

from __future__ import annotations

import json
import os

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode, InputError, JobError, StoreError
from virnucpro_tasks.jobs.job import Job, remove_job, reopen_job
from virnucpro_tasks.paths import SPLITTING
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.recovery.stage import StageRetryError, failing_job, stage_attempt
from virnucpro_tasks.settings import Settings


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def attempt(job: Job) -> None:
    with stage_attempt(job, SPLITTING, limit_seconds=10):
        pass


def lost(job: Job, *, noted: bool) -> None:
    file = job.paths.stage_attempts(SPLITTING)
    append_event(file, Began(probe=SPLITTING, parent=os.getppid(), limit_seconds=10))
    if noted:
        append_event(file, Failed(probe=SPLITTING, reason="its worker was killed by SIGKILL"))


def test_attempts_that_end_are_not_counted_whatever_they_raise(job: Job) -> None:
    for _ in range(10):
        attempt(job)
        with pytest.raises(RuntimeError), stage_attempt(job, SPLITTING, limit_seconds=10):
            raise RuntimeError
    assert not job.paths.failed.exists()


@pytest.mark.parametrize(("noted", "allowed"), [(True, 3), (False, 9)])
def test_lost_ones_end_the_job_with_what_is_known_until_it_is_resumed(job: Job, noted: bool, allowed: int) -> None:
    for _ in range(allowed):
        attempt(job)
        lost(job, noted=noted)
    with pytest.raises(JobError, match="splitting was given up"):
        attempt(job)
    failure = json.loads(job.paths.failed.read_bytes())
    known = "its worker was killed by SIGKILL" if noted else "its worker died each time"
    assert failure["message"] == f"splitting was given up after {allowed} attempts: {known}"
    assert failure["exit_code"] == ExitCode.JOB_FAILED
    reopen_job(job, retry_quarantined=False)
    attempt(job)


def test_a_stage_whose_files_are_damaged_each_time_ends_the_job(job: Job) -> None:
    for _ in range(job.spec.parameters.max_attempts):
        with pytest.raises(StageRetryError), stage_attempt(job, SPLITTING, limit_seconds=10):
            raise StageRetryError("plan.json is missing or damaged")
    with pytest.raises(JobError, match=r"given up after 3 attempts: plan\.json is missing or damaged"):
        attempt(job)


def test_errors_of_a_stage_end_the_job_with_their_exit_code(job: Job) -> None:
    with failing_job(job, SPLITTING):
        raise InputError("is empty", file="reads.fasta")
    failure = json.loads(job.paths.failed.read_bytes())
    assert (failure["message"], failure["exit_code"]) == ("reads.fasta: is empty", ExitCode.BAD_INPUT)
    with failing_job(job, SPLITTING):
        raise RuntimeError("unforeseen")
    failure = json.loads(job.paths.failed.read_bytes())
    assert failure["message"] == "splitting failed: RuntimeError: unforeseen"
    assert failure["exit_code"] == ExitCode.UNEXPECTED


def test_errors_that_are_not_the_jobs_are_raised(job: Job) -> None:
    with pytest.raises(StoreError), failing_job(job, SPLITTING):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(StageRetryError), failing_job(job, SPLITTING):
        raise StageRetryError
    with pytest.raises(StoreError, match="splitting failed: memory was refused"), failing_job(job, SPLITTING):
        raise MemoryError
    assert not job.paths.failed.exists()


def test_a_job_that_is_removed_while_a_stage_works_at_it_needs_no_reason(job: Job) -> None:
    with failing_job(job, SPLITTING):
        remove_job(job, force=True)
        job.paths.plan.read_bytes()
    assert list(job.paths.root.parent.iterdir()) == []


def test_a_file_that_was_missing_for_a_moment_is_looked_for_again(job: Job, settings: Settings) -> None:
    # As while the store is away, which may be back when the error is looked at
    with pytest.raises(StageRetryError, match="No such file"), failing_job(job, SPLITTING):
        job.paths.plan.read_bytes()
    assert not job.paths.failed.exists()
    away = settings.store.rename(settings.store.with_name("away"))
    with pytest.raises(FileNotFoundError), failing_job(job, SPLITTING):
        job.paths.make_folders()
    # And nothing was written where the store should be
    assert not settings.store.exists()
    away.rename(settings.store)
    assert not job.paths.failed.exists()

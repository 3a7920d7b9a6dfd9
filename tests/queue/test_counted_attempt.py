from __future__ import annotations

import json
import os

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode, JobError
from virnucpro_tasks.jobs.job import Job, reopen_job
from virnucpro_tasks.paths import SPLITTING
from virnucpro_tasks.queue.counted_attempt import counted_attempt
from virnucpro_tasks.recovery.attempts import record
from virnucpro_tasks.settings import Settings


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def attempt(job: Job) -> None:
    with counted_attempt(job, SPLITTING, limit_seconds=10):
        pass


def lost(job: Job, *, noted: bool) -> None:
    file = job.paths.stage_attempts(SPLITTING)
    record(file, SPLITTING, parent=os.getppid(), limit_seconds=10)
    if noted:
        record(file, SPLITTING, failed="its worker was killed by SIGKILL")


def test_attempts_that_end_are_not_counted_whatever_they_raise(job: Job) -> None:
    for _ in range(10):
        attempt(job)
        with pytest.raises(RuntimeError), counted_attempt(job, SPLITTING, limit_seconds=10):
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

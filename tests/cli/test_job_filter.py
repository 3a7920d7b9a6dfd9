from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from cli.snapshots import unsplit
from job import SAMPLE, make_job

from virnucpro_tasks.cli.job_filter import OPEN, JobFilter
from virnucpro_tasks.jobs.listing import JobIdentity
from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.settings import Settings


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (JobFilter(), True),
        (JobFilter(owners=("bob", "anna")), True),
        (JobFilter(owners=("bob",)), False),
        (JobFilter(names=("none", "run_?")), True),
        (JobFilter(names=("run",)), False),
        (JobFilter(owners=("anna",), names=("none",)), False),
    ],
)
def test_one_of_each_kind_is_enough_and_each_kind_counts(
    settings: Settings, wanted: JobFilter, is_wanted: bool
) -> None:
    identity = JobIdentity(("sea", "run_7"), "anna", "model", "model", ("reads.fasta",))
    job = make_job(replace(settings, bundle="demo"), SAMPLE)
    assert wanted.wants(job, identity) is is_wanted


def test_jobs_are_wanted_from_the_moment_that_is_given(settings: Settings) -> None:
    job = make_job(replace(settings, bundle="demo"), SAMPLE)
    made = datetime.fromisoformat(job.spec.created_at).timestamp()
    identity = JobIdentity((), "anna", "model", "model", ("reads.fasta",))
    assert JobFilter(since=made).wants(job, identity) and not JobFilter(since=made + 1).wants(job, identity)


@pytest.mark.parametrize("state", JobState)
def test_open_stands_for_every_state_that_is_not_final(state: JobState) -> None:
    progress = unsplit(state)
    assert JobFilter().wants_state(progress) and JobFilter(states=(str(state),)).wants_state(progress)
    assert JobFilter(states=(OPEN,)).wants_state(progress) is (not progress.is_final)

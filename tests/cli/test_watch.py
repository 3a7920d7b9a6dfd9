from __future__ import annotations

import json

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import follow
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import cancel_job, fail_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.settings import Settings


def test_it_ends_with_the_exit_code_of_the_job(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    ended = virnucpro("watch", job.job_id, "--json")
    assert ended.code == ExitCode.BAD_INPUT
    assert ended.err == [
        "failed",
        f"virnucpro: error: job {job.job_id}: reads.fasta: the file is empty",
    ]
    assert json.loads("\n".join(ended.out))["exit_code"] == ExitCode.BAD_INPUT


def test_a_job_that_is_not_there_is_an_error(settings: Settings, virnucpro: Virnucpro) -> None:
    make_job(settings, SAMPLE)
    ended = virnucpro("watch", "20260101t000000z-aaaaaaaaaaaaaaaa")
    assert ended.code == ExitCode.JOB_FAILED and "not in the store" in ended.err[0]


def test_a_watch_with_a_timeout_ends_and_the_job_goes_on(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    ended = virnucpro("watch", job.job_id, "--timeout", "0.1", "--json")
    assert ended.code == ExitCode.TIMED_OUT
    assert ended.err[-1] == (
        f"virnucpro: error: job {job.job_id}: it is queued after 0.1 s, and goes on"
        f" ('virnucpro watch {job.job_id}' follows it, 'virnucpro cancel {job.job_id}' stops it)"
    )
    found = json.loads("\n".join(ended.out))
    assert (found["state"], found["exit_code"]) == ("queued", ExitCode.TIMED_OUT)
    assert not job_progress(job).is_final


def test_a_job_that_has_ended_needs_no_time(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    assert virnucpro("watch", job.job_id, "--timeout", "0.1").code == ExitCode.JOB_FAILED


def test_an_interrupted_watch_says_how_to_go_on(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow, "wait_for", interrupted)
    job = make_job(settings, SAMPLE)
    ended = virnucpro("watch", job.job_id)
    assert ended.code == ExitCode.INTERRUPTED
    assert ended.err[-1] == (
        f"virnucpro: error: interrupted (the job goes on: 'virnucpro watch {job.job_id}' follows it,"
        f" 'virnucpro cancel {job.job_id}' stops it)"
    )

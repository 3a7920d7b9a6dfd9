from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any

import pytest
from builds import OTHER, another_build
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.build import own_build
from virnucpro_tasks.cli import resume
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job, open_job
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that were queued."""
    ids: list[str] = []
    monkeypatch.setattr(resume, "check_room", lambda _app: None)
    monkeypatch.setattr(resume, "hold_off_older_before", lambda _app: None)
    monkeypatch.setattr(resume, "enqueue", lambda _app, job: ids.append(job.job_id))
    return ids


def test_what_stops_a_job_is_taken_back_and_it_is_queued(
    settings: Settings, virnucpro: Virnucpro, queued: list[str]
) -> None:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    ended = virnucpro("resume", job.job_id)
    assert (ended.code, ended.err) == (ExitCode.OK, [f"job {job.job_id} is queued"])
    assert queued == [job.job_id]
    assert not job.paths.cancelled.exists()


def test_coordinators_of_0_7_are_held_off_while_the_job_is_still_stopped(
    settings: Settings, virnucpro: Virnucpro, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    stopped: list[bool] = []
    monkeypatch.setattr(resume, "hold_off_older_before", lambda _app: stopped.append(job.paths.cancelled.exists()))
    virnucpro("resume", job.job_id)
    assert (stopped, queued) == ([True], [job.job_id])


@pytest.mark.parametrize("flags", [[], ["--retry-quarantined"]])
def test_quarantined_records_are_tried_again_on_request(
    flags: list[str], settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch, queued: list[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(resume, "reopen_job", lambda _job, **how: asked.append(how))
    virnucpro("resume", make_job(settings, SAMPLE).job_id, *flags)
    assert asked == [{"retry_quarantined": bool(flags)}]


def test_a_finished_job_is_left_alone(settings: Settings, virnucpro: Virnucpro, queued: list[str]) -> None:
    job = make_job(settings, SAMPLE)
    job.paths.run.parent.mkdir(exist_ok=True)
    job.paths.run.write_text("{}")
    ended = virnucpro("resume", job.job_id)
    assert ended.code == ExitCode.OK
    assert ended.err == [f"job {job.job_id} is finished: see 'virnucpro results {job.job_id}'"]
    assert queued == []


def test_without_redis_the_error_is_one_line_and_the_job_is_as_before(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)
    for which in (job.job_id, "--all"):
        ended = virnucpro("resume", which)
        assert ended.code == ExitCode.UNREACHABLE
        assert len(ended.err) == 1 and "cannot be reached" in ended.err[0]
        assert job.paths.failed.exists()


@pytest.fixture
def failed(settings: Settings) -> list[Job]:
    """Jobs that have failed three hours, half an hour and no time ago; the last one for its input."""
    jobs = [make_job(settings, SAMPLE) for _ in range(3)]
    for job, code, ago in zip(
        jobs, (ExitCode.JOB_FAILED, ExitCode.UNEXPECTED, ExitCode.BAD_INPUT), (10_800, 1_800, 0), strict=True
    ):
        fail_job(job, "why", exit_code=code)
        os.utime(job.paths.failed, (time.time() - ago,) * 2)
    return jobs


def test_all_failed_jobs_are_resumed_and_no_others(
    settings: Settings, virnucpro: Virnucpro, queued: list[str], failed: list[Job]
) -> None:
    cancelled, under_way = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    cancel_job(cancelled)
    ended = virnucpro("resume", "--all")
    assert ended.code == ExitCode.OK
    assert sorted(queued) == sorted(job.job_id for job in failed[:2])
    assert [job.paths.failed.exists() for job in failed] == [False, False, True]
    assert ended.err[-1] == "1 job left as it is: bad input" and len(ended.err) == 3
    assert cancelled.paths.cancelled.exists() and under_way.job_id not in queued


@pytest.mark.parametrize(("ago", "expected"), [("1h", [1]), ("40m", [1]), ("1 h", [1]), ("1d", [0, 1]), ("10s", [])])
def test_those_that_failed_since_a_time_ago(
    virnucpro: Virnucpro, queued: list[str], failed: list[Job], ago: str, expected: list[int]
) -> None:
    assert virnucpro("resume", "--failed-since", ago).code == ExitCode.OK
    assert sorted(queued) == sorted(failed[number].job_id for number in expected)


def test_those_that_failed_since_a_date(virnucpro: Virnucpro, queued: list[str], failed: list[Job]) -> None:
    since = datetime.fromtimestamp(time.time() - 7_200).isoformat(timespec="minutes")
    assert virnucpro("resume", "--failed-since", since).code == ExitCode.OK
    assert queued == [failed[1].job_id]


@pytest.mark.parametrize("when", ["", "yesterday", "-1h", "2999-01-01", "2026-13-01", "0", "1e9", "nan", "0001-01-01"])
def test_what_is_no_moment_of_the_past_is_refused(
    virnucpro: Virnucpro, queued: list[str], failed: list[Job], when: str
) -> None:
    ended = virnucpro("resume", "--failed-since", when)
    assert ended.code == ExitCode.USAGE and len(ended.err) == 1 and queued == []


@pytest.mark.parametrize("arguments", [[], ["2026", "--all"], ["2026", "--failed-since", "1h"]])
def test_either_a_job_or_all(virnucpro: Virnucpro, arguments: list[str]) -> None:
    ended = virnucpro("resume", *arguments)
    assert ended.code == ExitCode.USAGE and "--failed-since WHEN" in ended.err[0]


def test_a_damaged_job_does_not_keep_the_others_waiting(
    virnucpro: Virnucpro, queued: list[str], failed: list[Job]
) -> None:
    failed[0].paths.job.write_text("{")
    failed[1].paths.failed.write_text("{")
    ended = virnucpro("resume", "--all")
    assert (ended.code, queued) == (ExitCode.JOB_FAILED, [failed[1].job_id])
    assert any(line.startswith(f"warning: job {failed[0].job_id}") and "damaged" in line for line in ended.err)


def test_without_failed_jobs_it_says_so(settings: Settings, virnucpro: Virnucpro, queued: list[str]) -> None:
    make_job(settings, SAMPLE)
    for flags, words in ((["--all"], ""), (["--failed-since", "1h"], " since then")):
        ended = virnucpro("resume", *flags)
        assert (ended.code, ended.err) == (ExitCode.OK, [f"no job of the store {settings.store} has failed{words}"])


@pytest.fixture
def of_another(settings: Settings) -> Job:
    """A job of another build, split by it."""
    with another_build():
        job = make_job(settings, SAMPLE)
        list(split_files(job))
    return job


def test_a_job_of_another_version_waits_for_workers_of_that(
    of_another: Job, virnucpro: Virnucpro, queued: list[str]
) -> None:
    ended = virnucpro("resume", of_another.job_id)
    assert (ended.code, queued) == (ExitCode.OK, [of_another.job_id])
    first, second = ended.err
    assert first == f"job {of_another.job_id} is queued"
    assert f"(build {OTHER}), and waits for workers of that; with --this-version it begins anew" in second
    assert of_another.paths.plan.exists()


def test_with_this_version_it_begins_anew_once_no_worker_is_at_it(
    of_another: Job, virnucpro: Virnucpro, queued: list[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    left = iter([2, 0])
    monkeypatch.setattr(resume, "release", lambda *_, **__: next(left))
    refused = virnucpro("resume", of_another.job_id, "--this-version")
    assert refused.code == ExitCode.JOB_FAILED and queued == []
    assert "are still at 2 tasks of it (it is cancelled now: repeat the command when they have ended" in refused.err[-1]
    assert of_another.paths.cancelled.exists() and of_another.paths.plan.exists()
    ended = virnucpro("resume", of_another.job_id, "--this-version")
    assert (ended.code, queued) == (ExitCode.OK, [of_another.job_id])
    assert f"(build {OTHER}) is queued, to begin anew with version" in ended.err[0]
    begun = open_job(settings.store, of_another.job_id)
    assert begun.spec.build == own_build()
    assert not of_another.paths.cancelled.exists() and not of_another.paths.plan.exists()


def test_with_this_version_a_job_of_it_keeps_what_is_done(
    settings: Settings, virnucpro: Virnucpro, queued: list[str]
) -> None:
    job = make_job(settings, SAMPLE)
    list(split_files(job))
    cancel_job(job)
    assert virnucpro("resume", job.job_id, "--this-version").err == [f"job {job.job_id} is queued"]
    assert job.paths.plan.exists() and not job.paths.cancelled.exists()

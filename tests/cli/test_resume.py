from __future__ import annotations

from typing import Any

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import resume
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import cancel_job
from virnucpro_tasks.settings import Settings


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that were queued."""
    ids: list[str] = []
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


def test_without_redis_the_error_is_one_line(settings: Settings, virnucpro: Virnucpro) -> None:
    ended = virnucpro("resume", make_job(settings, SAMPLE).job_id)
    assert ended.code == ExitCode.UNREACHABLE
    assert len(ended.err) == 1 and "cannot be reached" in ended.err[0]

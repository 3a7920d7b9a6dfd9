"""Jobs that go on are admitted as new ones are: beside those under way, less what they have computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import admission, resume, submit
from virnucpro_tasks.errors import BrokerError, ExitCode, NoRoomError
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job
from virnucpro_tasks.jobs.room import Room
from virnucpro_tasks.jobs.room_under_way import note_room
from virnucpro_tasks.settings import Settings

GIGABYTE = 10**9
ROOM = Room(store_bytes=2 * GIGABYTE, kept_bytes=GIGABYTE, files=10, redis_bytes=1_000)


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The ids of the jobs that were queued; 3 GB are free in the store, and Redis has room."""
    ids: list[str] = []
    monkeypatch.setattr(resume, "check_room", lambda _: None)
    monkeypatch.setattr(submit, "check_redis", lambda _: None)
    monkeypatch.setattr(admission, "require_redis_room", lambda *_: None)
    for module in (resume, submit):
        monkeypatch.setattr(module, "enqueue", lambda _app, job: ids.append(job.job_id))
    told = SimpleNamespace(f_bavail=3 * GIGABYTE, f_frsize=1, f_blocks=1, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    yield ids


@pytest.fixture
def stopped(settings: Settings) -> Job:
    """A job that was submitted and cancelled, and needs 2 GB."""
    job = make_job(settings, SAMPLE)
    deduplicate(settings.store, job)
    note_room(job, ROOM)
    cancel_job(job)
    return job


@pytest.mark.parametrize("command", ["resume", "submit"])
def test_a_stopped_job_goes_on_only_if_jobs_under_way_leave_room(
    command: str, settings: Settings, virnucpro: Virnucpro, stopped: Job, queued: list[str]
) -> None:
    argument = stopped.job_id if command == "resume" else SAMPLE
    note_room(other := make_job(settings, SAMPLE), ROOM)
    refused = virnucpro(command, argument)
    assert refused.code == ExitCode.JOB_FAILED and queued == []
    assert "has 3.0 GB free, jobs under way will take 2.0 GB more" in refused.err[-1]
    assert "needs about 2.0 GB" in refused.err[-1] and "--anyway" in refused.err[-1]
    # It stays as it was: a coordinator would take one without its marks for a lost one.
    assert stopped.paths.cancelled.exists()
    cancel_job(other)
    assert virnucpro(command, argument).code == ExitCode.OK
    assert queued == [stopped.job_id] and not stopped.paths.cancelled.exists()


def test_anyway_and_of_several_each_counts_for_the_next(
    settings: Settings, virnucpro: Virnucpro, stopped: Job, queued: list[str]
) -> None:
    jobs = [make_job(settings, SAMPLE) for _ in range(2)]
    for job in jobs:
        note_room(job, ROOM)
        fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)
    ended = virnucpro("resume", "--all")
    assert ended.code == ExitCode.JOB_FAILED and len(queued) == 1
    (left,) = {job.job_id for job in jobs} - set(queued)
    assert f"warning: job {left}: the store" in ended.err[-1]
    for command in (["resume", stopped.job_id], ["submit", SAMPLE]):
        assert virnucpro(*command, "--anyway").code == ExitCode.OK


def test_redis_without_room_keeps_a_job_stopped_and_one_that_is_silent_is_left_to_queueing(
    virnucpro: Virnucpro, stopped: Job, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(error: BrokerError) -> None:
        monkeypatch.setattr(admission, "require_redis_room", lambda *_: (_ for _ in ()).throw(error))

    refuse(NoRoomError("no room"))
    assert virnucpro("resume", stopped.job_id).code == ExitCode.UNREACHABLE
    assert stopped.paths.cancelled.exists() and queued == []
    refuse(BrokerError("cannot be reached"))
    assert virnucpro("resume", stopped.job_id).code == ExitCode.OK

from __future__ import annotations

from pathlib import Path

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.jobs import room_under_way as under_way
from virnucpro_tasks.jobs.job import cancel_job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.jobs.room import Room, room_of
from virnucpro_tasks.jobs.room_under_way import NO_ROOM, note_room, noted_room, room_left, room_under_way
from virnucpro_tasks.settings import Settings

ROOM = Room(store_bytes=1_100, kept_bytes=100, files=50, redis_bytes=400)


def at(done: int, total: int | None) -> Progress:
    return Progress("", JobState.EMBEDDING, "", total, done, 0, None, None, "", None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("done", "total", "store", "files", "queued", "stopped"),
    [
        (0, None, 1_100, 50, 400, 400),  # not split: no message is in Redis
        (0, 10, 1_100, 50, 0, 400),
        (5, 10, 600, 25, 0, 200),
        (10, 10, 100, 0, 0, 0),  # its results are to be written
        (11, 10, 100, 0, 0, 0),
    ],
)
def test_what_is_computed_needs_no_more_room(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    done: int,
    total: int | None,
    store: int,
    files: int,
    queued: int,
    stopped: int,
) -> None:
    job = make_job(settings, SAMPLE)
    note_room(job, ROOM)
    monkeypatch.setattr(under_way, "job_progress", lambda _: at(done, total))
    assert room_left(job, redis_has_it=True) == Room(store, 100, files, queued)
    assert room_left(job, redis_has_it=False).redis_bytes == stopped


def test_jobs_that_have_not_ended_are_counted_and_no_others(settings: Settings) -> None:
    assert room_under_way(settings.store, but="") == NO_ROOM
    new, first, second, cancelled, damaged = (make_job(settings, SAMPLE) for _ in range(5))
    for job in (new, first, second, cancelled, damaged):
        note_room(job, ROOM)
    cancel_job(cancelled)
    damaged.paths.job.write_text("{")
    assert room_under_way(settings.store, but=new.job_id) == ROOM.plus(ROOM)


def test_of_new_jobs_that_are_submitted_at_once_each_counts_those_before_it(settings: Settings) -> None:
    first, second, third = sorted((make_job(settings, SAMPLE) for _ in range(3)), key=lambda job: job.job_id)
    one = room_of(first)
    counted = [room_under_way(settings.store, but=job.job_id, is_new=True) for job in (first, second, third)]
    assert counted == [NO_ROOM, one, one.plus(one)]
    note_room(third, ROOM)
    assert room_under_way(settings.store, but=first.job_id, is_new=True) == ROOM


def test_without_a_note_or_with_a_damaged_one_the_estimate_is_made_again(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    assert noted_room(job) == room_of(job)
    job.paths.room.write_text("{")
    assert noted_room(job) == room_of(job)
    note_room(job, ROOM)
    assert noted_room(job) == ROOM


def test_a_store_that_takes_no_note_is_no_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(settings, SAMPLE)
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    note_room(job, ROOM)
    assert not job.paths.room.exists()

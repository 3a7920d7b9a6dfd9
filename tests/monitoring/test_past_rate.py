from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, job_progress
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.monitoring import past_rate as module
from virnucpro_tasks.monitoring.past_rate import past_rate
from virnucpro_tasks.recovery.events import WHOLE, Began, append_event
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import ShardEntry, write_plan

BEGAN = 1_790_000_000.0
TOKENS = 1_000


@pytest.fixture
def job(settings: Settings) -> Job:
    """A job of ten shards of TOKENS tokens each, the first of which was begun at BEGAN."""
    job = make_job(replace(settings, bundle="demo"), SAMPLE)
    write_plan(job.paths.plan, [ShardEntry(1, 1, TOKENS, "", "", "")] * 10)
    append_event(job.paths.attempts(0), Began(probe=WHOLE, at=datetime.fromtimestamp(BEGAN, UTC).isoformat()))
    return job


def rate_at(job: Job, seconds: float, monkeypatch: pytest.MonkeyPatch, *, share: float = 0.0) -> Rate | None:
    """The rate so many seconds after BEGAN, when this share of shard 9 is computed."""
    monkeypatch.setattr(module.time, "time", lambda: BEGAN + seconds)
    return past_rate(job, job_progress(job, shares={9: share} if share else {}))


def end(job: Job, shard: int, *, seconds: float) -> None:
    """Finish a shard so many seconds after BEGAN."""
    job.paths.embedding(shard).touch()
    os.utime(job.paths.embedding(shard), (BEGAN + seconds,) * 2)


def test_the_times_of_finished_shards_tell_speed_and_time_left(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rate_at(job, 5, monkeypatch) is None
    end(job, 0, seconds=10)
    assert rate_at(job, 10, monkeypatch) is None
    end(job, 1, seconds=20)
    rate = rate_at(job, 22, monkeypatch)
    assert rate is not None and rate.tokens_per_second == pytest.approx(100)
    assert rate.seconds_left == pytest.approx(80 - 2)


def test_what_is_done_of_a_shard_under_way_counts(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    end(job, 0, seconds=10)
    rate = rate_at(job, 15, monkeypatch, share=0.5)
    assert rate is not None and rate.tokens_per_second == pytest.approx(100)
    assert rate.seconds_left == pytest.approx(85)


def test_many_workers_that_end_at_once_are_not_taken_for_a_fast_one(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard in range(5):
        end(job, shard, seconds=50 + shard)
    rate = rate_at(job, 54, monkeypatch)
    assert rate is not None and rate.tokens_per_second == pytest.approx(5 * TOKENS / 54)


def test_a_break_of_a_day_is_forgotten_when_the_job_goes_on(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    end(job, 0, seconds=10)
    for shard in range(1, 9):
        end(job, shard, seconds=86_400 + 20 * shard)
    rate = rate_at(job, 86_400 + 160, monkeypatch)
    assert rate is not None and rate.tokens_per_second == pytest.approx(50)


def test_of_very_many_shards_the_last_ones_are_looked_at(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SHARDS", 4)
    for shard in range(8):
        end(job, shard, seconds=10 * (shard + 1))
    job.paths.embedding(0).unlink()
    rate = rate_at(job, 80, monkeypatch)
    assert rate is not None and rate.tokens_per_second == pytest.approx(100)
    assert rate.seconds_left == pytest.approx(30)


def test_a_job_that_is_not_being_embedded_has_none(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard in range(3):
        end(job, shard, seconds=10 * shard)
    assert rate_at(job, 30, monkeypatch) is not None
    assert past_rate(job, replace(job_progress(job), state=JobState.FINISHING)) is None


def test_a_job_that_no_worker_is_at_has_none(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard in range(3):
        end(job, shard, seconds=50 * (shard + 1))
    assert rate_at(job, 350, monkeypatch) is not None
    assert rate_at(job, 450, monkeypatch) is None

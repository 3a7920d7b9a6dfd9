from __future__ import annotations

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import cancel
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings


def test_without_redis_the_job_is_marked_all_the_same(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    ended = virnucpro("cancel", job.job_id)
    assert ended.code == ExitCode.OK
    assert job.paths.cancelled.exists()
    warning, last = ended.err
    assert warning.startswith("warning: Redis at ") and last == f"job {job.job_id} is cancelled"


def test_it_says_how_many_shards_were_waiting(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(settings, SAMPLE)
    monkeypatch.setattr(cancel, "drop_waiting", lambda *_: 1_234)
    assert virnucpro("cancel", job.job_id).err == [f"job {job.job_id} is cancelled, 1,234 waiting shards were dropped"]


def test_a_finished_job_is_not_cancelled(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    job.paths.run.parent.mkdir(exist_ok=True)
    job.paths.run.write_text("{}")
    ended = virnucpro("cancel", job.job_id)
    assert ended.code == ExitCode.JOB_FAILED and "already finished" in ended.err[-1]
    assert not job.paths.cancelled.exists()

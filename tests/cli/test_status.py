from __future__ import annotations

import json

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import status
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.settings import Settings


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def answer(monkeypatch: pytest.MonkeyPatch, *workers: WorkerInfo) -> None:
    """Let these workers answer, and Redis know of no failure of the store."""
    monkeypatch.setattr(status, "workers", lambda _: list(workers))
    monkeypatch.setattr(status, "worker_troubles", lambda _app, _queues: [])
    monkeypatch.setattr(status, "snapshot", lambda _app, job: job_progress(job))


def test_without_redis_the_store_tells(job: Job, virnucpro: Virnucpro) -> None:
    ended = virnucpro("status", job.job_id)
    assert ended.code == ExitCode.OK
    assert ended.out == [f"{job.job_id}  queued"]
    assert len(ended.err) == 1 and ended.err[0].startswith("warning: Redis at ")
    silent = virnucpro("status", job.job_id, "--no-workers")
    assert (silent.out, silent.err) == (ended.out, [])


def test_the_workers_that_can_embed_the_job_are_named(
    job: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = gpu_queue(job.spec.bundle_digest, job.spec.build)
    at_work = RunningTask((job.job_id, 3), seconds=170.0, quiet_seconds=160.0), RunningTask(("another", 1))
    finishing = RunningTask((job.job_id,), "virnucpro.finish_job", seconds=4.0, quiet_seconds=2.0)
    able = WorkerInfo("gpu-0@here", (queue,), at_work)
    answer(monkeypatch, able, WorkerInfo("cpu@here", ("virnucpro",), (finishing,)))
    out = virnucpro("status", job.job_id).out
    assert "workers: gpu-0@here" in out
    assert out[-3:-1] == ["shard 3 on gpu-0@here for 2:50, no progress for 2:40", "finishing on cpu@here for 0:04"]
    report = json.loads("\n".join(virnucpro("status", job.job_id, "--json").out))
    assert report["workers"] == ["gpu-0@here"]
    assert report["running"] == {"gpu-0@here": [[job.job_id, 3]]}
    assert report["running_tasks"] == [
        {"worker": "gpu-0@here", "stage": "embedding", "shard": 3, "seconds": 170.0, "quiet_seconds": 160.0},
        {"worker": "cpu@here", "stage": "finishing", "shard": None, "seconds": 4.0, "quiet_seconds": 2.0},
    ]
    assert [name.rpartition("/")[2] for name in report["inputs"]] == [SAMPLE.name]


def test_speed_and_time_left_are_said(job: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    list(split_files(job))
    monkeypatch.setattr(status, "past_rate", lambda _job, _progress: Rate(50.04, 125.0))
    assert virnucpro("status", job.job_id, "--no-workers").out[0].endswith(" shards, 50 tokens/s, 2:05 left")
    report = json.loads("\n".join(virnucpro("status", job.job_id, "--json", "--no-workers").out))
    assert (report["tokens_per_second"], report["seconds_left"]) == (50.0, 125.0)


def test_it_says_when_no_worker_can(job: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch)
    first, last = virnucpro("status", job.job_id).out
    assert first.endswith("  queued, no coordinator is running")
    assert last == (
        "no worker takes the job, neither a coordinator nor one with bundle"
        f" {job.spec.bundle_digest[:12]}: start both with 'virnucpro worker --bundle FOLDER'"
    )


def test_the_entries_of_json_are_there_in_every_state(job: Job, virnucpro: Virnucpro) -> None:
    unreachable = json.loads("\n".join(virnucpro("status", job.job_id, "--json").out))
    fail_job(job, "a.fasta: bad", exit_code=ExitCode.BAD_INPUT)
    failed = json.loads("\n".join(virnucpro("status", job.job_id, "--json").out))
    assert list(unreachable) == list(failed)
    assert (failed["workers"], failed["running"], failed["troubles"]) == (None, {}, [])


def test_it_says_why_workers_start_again(job: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch)
    trouble = "worker embed-gpu0@here, 3 s ago: was killed by SIGKILL"
    monkeypatch.setattr(status, "worker_troubles", lambda _app, _queues: [trouble])
    assert trouble in virnucpro("status", job.job_id).out
    assert json.loads("\n".join(virnucpro("status", job.job_id, "--json").out))["troubles"] == [trouble]


def test_a_failed_job_shows_why_and_asks_no_worker(job: Job, virnucpro: Virnucpro) -> None:
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    ended = virnucpro("status", job.job_id)
    assert ended.code == ExitCode.OK
    assert ended.out == [f"{job.job_id}  failed", "reads.fasta: the file is empty"]
    assert ended.err == []

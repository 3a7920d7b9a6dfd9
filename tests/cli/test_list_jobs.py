from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import ExitCode, StoreError
from virnucpro_tasks.jobs.job import Job, fail_job
from virnucpro_tasks.keys import STORE_REASONS
from virnucpro_tasks.queue import store_failures
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.store_failures import count_store_failure
from virnucpro_tasks.settings import Settings


def listed(settings: Settings, *flags: str) -> Result:
    arguments = ["list", "--store", str(settings.store), "--broker-url", settings.broker_url, *flags]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.mark.service
def test_what_only_redis_knows_is_listed_with_one_question(
    settings: Settings, finished: Job, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given four jobs: done, waiting, failed by a store that takes no note of it, held up by one
    settings = replace(settings, broker_url=broker.url, max_attempts=1)
    waiting, failed, held_up = (make_job(settings, SAMPLE) for _ in range(3))
    shutil.copytree(finished.paths.root, settings.store / "jobs" / finished.job_id)
    client = make_app(settings).backend.client
    client.flushall()
    monkeypatch.setattr(store_failures, "PAUSE_SECONDS", 0)
    full = StoreError("the store fails: No space left on device", hint="make room\x1b[2J")
    monkeypatch.setattr(store_failures, "fail_job", lambda *_, **__: (_ for _ in ()).throw(OSError("read-only")))
    for job, times in ((failed, 3), (held_up, 1)):
        for _ in range(times):
            count_store_failure(client, job, full)
    assert not failed.paths.failed.exists()
    client.config_resetstat()
    # When they are listed
    shown = {entry["job_id"]: entry for entry in json.loads(listed(settings, "--json").stdout)}
    # Then each is what `status` says of it
    assert {job_id: entry["state"] for job_id, entry in shown.items()} == {
        finished.job_id: "done",
        waiting.job_id: "queued",
        failed.job_id: "failed",
        held_up.job_id: "queued",
    }
    assert shown[failed.job_id]["exit_code"] == ExitCode.JOB_FAILED
    assert "No space left on device" in shown[failed.job_id]["message"]
    assert "1 time in a row" in shown[held_up.job_id]["message"]
    assert shown[waiting.job_id]["message"] == ""
    stats = client.info("commandstats")
    assert stats["cmdstat_hgetall"]["calls"] == 1
    assert "cmdstat_hget" not in stats
    # And in lines, one a job
    lines = {line.split()[0]: line for line in listed(settings).stdout.splitlines()}
    assert set(lines) == set(shown)
    assert "failed, " in lines[failed.job_id] and "No space left on device" in lines[failed.job_id]
    assert "\x1b" not in lines[failed.job_id]
    client.delete(STORE_REASONS)


def test_a_damaged_job_is_named_and_the_others_are_listed(settings: Settings) -> None:
    jobs = [make_job(settings, SAMPLE) for _ in range(3)]
    jobs[0].paths.job.write_text("{")
    jobs[1].paths.run.write_text("{}")
    result = listed(settings)
    assert result.exit_code == ExitCode.OK
    assert [line.split()[0] for line in result.stdout.splitlines()] == [jobs[2].job_id]
    warnings = result.stderr.splitlines()
    assert len(warnings) == 2
    assert {str(jobs[0].paths.job) in text or str(jobs[1].paths.run) in text for text in warnings} == {True}


def test_without_redis_the_store_is_listed(settings: Settings) -> None:
    waiting, failed = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    fail_job(failed, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    result = listed(settings)
    assert result.exit_code == ExitCode.OK
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines[failed.job_id].endswith("reads.fasta: the file is empty")
    assert lines[waiting.job_id].endswith("queued, 0 shards embedded so far")

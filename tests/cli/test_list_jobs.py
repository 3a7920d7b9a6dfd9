from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from click.testing import CliRunner, Result
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.cli import list_jobs
from virnucpro_tasks.cli.list_table import TSV_COLUMNS
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import ExitCode, StoreError
from virnucpro_tasks.jobs import job as jobs
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job
from virnucpro_tasks.jobs.job_names import claim_name
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.keys import STORE_FAILURES, coordinator_queues, gpu_queue, shard_shares
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue import store_failures, store_outage
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.store_failures import Failing, count_store_failure
from virnucpro_tasks.settings import Settings

MESSAGE = TSV_COLUMNS.index("message")


def rows(result: Result) -> dict[str, list[str]]:
    """The lines of a list that is not for a terminal, by job id."""
    headings, *lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert headings == list(TSV_COLUMNS)
    assert all(len(line) == len(headings) for line in lines)
    return {line[0]: line for line in lines}


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
    monkeypatch.setattr(store_failures.time, "sleep", lambda _: None)
    monkeypatch.setattr(store_outage, "ONE_SHOT_SECONDS", 0)
    full = StoreError("the store fails: No space left on device", hint="make room\x1b[2J")
    monkeypatch.setattr(store_failures, "fail_job", lambda *_, **__: (_ for _ in ()).throw(OSError("read-only")))
    for job, times in ((failed, 3), (held_up, 1)):
        for _ in range(times):
            failing = Failing(job.job_id, job, "here 1")
            count_store_failure(client, failing, full, limit_seconds=600, one_shot=job is failed)
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
    lines = rows(listed(settings))
    assert set(lines) == set(shown)
    assert lines[failed.job_id][2] == "failed" and "No space left on device" in lines[failed.job_id][MESSAGE]
    assert "\x1b" not in lines[failed.job_id][MESSAGE]
    client.delete(STORE_FAILURES)


def test_a_damaged_job_is_named_and_the_others_are_listed(settings: Settings) -> None:
    jobs = [make_job(settings, SAMPLE) for _ in range(3)]
    jobs[0].paths.job.write_text("{")
    jobs[1].paths.run.write_text("{}")
    result = listed(settings)
    assert result.exit_code == ExitCode.OK
    assert list(rows(result)) == [jobs[2].job_id]
    *warnings, away = result.stderr.splitlines()
    assert len(warnings) == 2 and "cannot be reached" in away
    assert {str(jobs[0].paths.job) in text or str(jobs[1].paths.run) in text for text in warnings} == {True}


def test_without_redis_the_store_is_listed_and_it_is_asked_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each question to one that hangs takes until its time is over.
    for question in ("all_with_store_failures", "check_room", "worker_troubles", "workers"):
        monkeypatch.setattr(list_jobs, question, lambda *_: pytest.fail("Redis does not answer"))
    waiting, failed = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    fail_job(failed, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    result = listed(settings)
    assert result.exit_code == ExitCode.OK
    assert result.stderr.startswith("warning: Redis at redis://") and result.stderr.count("cannot be reached") == 1
    lines = rows(result)
    assert (lines[failed.job_id][2], lines[failed.job_id][MESSAGE]) == ("failed", "reads.fasta: the file is empty")
    assert (lines[waiting.job_id][2], lines[waiting.job_id][MESSAGE]) == ("queued", "NA")


def test_what_tells_jobs_apart_is_listed_for_scripts(settings: Settings, finished: Job, tmp_path: Path) -> None:
    reads = tmp_path / "a\tb\x1b.fasta"
    reads.write_bytes(SAMPLE.read_bytes())
    waiting = make_job(replace(settings, owner="anna"), reads, SAMPLE, SAMPLE)
    shutil.copytree(finished.paths.root, settings.store / "jobs" / finished.job_id)
    claim_name(settings.store, "sea-water", waiting.job_id)
    lines = rows(listed(settings))
    virus = json.loads(finished.paths.run.read_bytes())["counts"]["virus_records"]
    assert lines[waiting.job_id] == [
        *(
            waiting.job_id,
            "sea-water",
            "queued",
            "NA",
            waiting.spec.created_at,
            "anna",
            "demonstration (DEMONSTRATION)",
        ),
        *(f"{tmp_path}/a\\tb\\x1b.fasta and 2 more", "NA", "NA", "NA"),
    ]
    assert lines[finished.job_id][1:4] == ["NA", "done", "1.0000"] and lines[finished.job_id][8] == str(virus)
    shown = {entry["job_id"]: entry for entry in json.loads(listed(settings, "--json").stdout)}
    assert shown[waiting.job_id]["inputs"] == [str(reads), str(SAMPLE), str(SAMPLE)]
    assert (shown[waiting.job_id]["exit_code"], shown[waiting.job_id]["names"]) == (None, ["sea-water"])
    assert (shown[finished.job_id]["exit_code"], shown[finished.job_id]["virus_records"]) == (0, virus)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let standard output be a terminal of so many columns."""

    def set_width(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    return set_width


def test_a_person_sees_a_table(
    settings: Settings, finished: Job, virnucpro: Virnucpro, terminal: Callable[[int], None]
) -> None:
    settings = replace(settings, owner="anna")
    failed, waiting = (make_job(settings, SAMPLE) for _ in range(2))
    shutil.copytree(finished.paths.root, settings.store / "jobs" / finished.job_id)
    fail_job(failed, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    terminal(80)
    ended = virnucpro("list")
    headings, *lines, reason = ended.out
    assert headings.split() == ["JOB", "STATE", "AGE", "VIRUS", "OWNER", "BUNDLE", "INPUTS"]
    assert all(len(line) <= 80 for line in lines) and len(lines) == 3
    shown = {
        next(job.job_id for job in (finished, failed, waiting) if job.job_id.startswith(line.split()[0])): line
        for line in lines
    }
    assert set(shown) == {finished.job_id, failed.job_id, waiting.job_id}
    assert "(DEMO)" in shown[finished.job_id] and "short.fasta" in shown[finished.job_id]
    assert shown[waiting.job_id].split()[1] == "queued" and shown[waiting.job_id].split()[3:5] == ["-", "anna"]
    assert failed.job_id.startswith(reason.partition(":")[0]) and reason.endswith(": reads.fasta: the file is empty")
    terminal(30)
    assert virnucpro("list").out[0].split() == ["JOB", "STATE"]


def full_id(beginning: str, *jobs: Job) -> str:
    """The id that begins so."""
    (found,) = [job.job_id for job in jobs if job.job_id.startswith(beginning)]
    return found


def test_the_shown_beginning_of_an_id_names_the_job(
    settings: Settings, virnucpro: Virnucpro, terminal: Callable[[int], None]
) -> None:
    job = make_job(settings, SAMPLE)
    terminal(80)
    shown = virnucpro("list").out[1].split()[0]
    assert shown != job.job_id
    assert virnucpro("remove", shown, "--force").code == ExitCode.OK and not job.paths.root.exists()


def test_a_store_without_jobs_says_so(settings: Settings, virnucpro: Virnucpro) -> None:
    settings.store.mkdir()
    ended = virnucpro("list")
    assert ended.code == ExitCode.OK and len(ended.out) == 1
    assert ended.err == [f"there is no job in the store {settings.store}"]


def test_a_job_is_shown_by_its_name_unless_that_is_long(
    settings: Settings, virnucpro: Virnucpro, terminal: Callable[[int], None]
) -> None:
    named, long_named = (make_job(settings, SAMPLE) for _ in range(2))
    claim_name(settings.store, "sea-water", named.job_id)
    claim_name(settings.store, "x" * 25, long_named.job_id)
    terminal(80)
    shown = {line.split()[0] for line in virnucpro("list").out[1:]}
    (beginning,) = shown - {"sea-water"}
    assert len(shown) == 2 and long_named.job_id.startswith(beginning)


def test_all_columns_fit_into_eighty(settings: Settings, virnucpro: Virnucpro, terminal: Callable[[int], None]) -> None:
    job = make_job(replace(settings, owner="anna.b"), SAMPLE, SAMPLE, SAMPLE)
    cancel_job(job)
    terminal(80)
    headings, line = virnucpro("list").out
    assert headings.split() == ["JOB", "STATE", "AGE", "VIRUS", "OWNER", "BUNDLE", "INPUTS"]
    assert len(line) <= 80 and line.endswith(" +2") and "(DEMO)" in line and "anna.b" in line


def test_who_is_missing_is_said_once_for_all_jobs_that_wait(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [make_job(settings, SAMPLE) for _ in range(3)]
    fail_job(jobs[0], "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    coordinator = WorkerInfo("coordinate-0@here", coordinator_queues(own_build()), ())
    for check in ("why_away", "check_room"):
        monkeypatch.setattr(list_jobs, check, lambda _: None)
    monkeypatch.setattr(list_jobs, "workers", lambda _: [coordinator])
    (line,) = virnucpro("list").err
    assert line.startswith(f"no worker serves bundle {jobs[1].spec.bundle_digest[:12]}, the one of the job: ")
    assert virnucpro("list", "--json").err == []
    # And what a worker is at, once for each job
    tasks = [RunningTask((jobs[1].job_id, shard), seconds=90.0, quiet_seconds=shard * 40.0) for shard in range(3)]
    embedder = WorkerInfo("embed-gpu0@here", (gpu_queue(jobs[1].spec.bundle_digest, own_build()),), tuple(tasks))
    monkeypatch.setattr(list_jobs, "workers", lambda _: [coordinator, embedder])
    assert virnucpro("list").err == [
        f"{jobs[1].job_id}: shard 2 on embed-gpu0@here for 1:30, no progress for 1:20 (3 tasks under way)"
    ]


@pytest.mark.service
def test_a_job_under_way_is_listed_with_what_is_done_of_its_shards(settings: Settings, broker: EmbeddedBroker) -> None:
    settings = replace(settings, broker_url=broker.url)
    job = make_job(settings, SAMPLE)
    list(split_files(job))
    client = make_app(settings).backend.client
    client.flushall()
    assert json.loads(listed(settings, "--json").stdout)[0]["tokens_done"] == 0
    client.hset(shard_shares(job.job_id), 0, "0.5")
    (shown,) = json.loads(listed(settings, "--json").stdout)
    assert shown["tokens_done"] == shown["tokens_total"] // 2
    client.flushall()


def test_the_time_left_is_listed(
    settings: Settings, virnucpro: Virnucpro, terminal: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job, waiting) = (make_job(settings, SAMPLE) for _ in range(2))
    claim_name(settings.store, "sea-water", job.job_id)
    monkeypatch.setattr(list_jobs, "past_rate", lambda one, _: Rate(50.04, 125.2) if one == job else None)
    shown = {entry["job_id"]: entry for entry in json.loads("\n".join(virnucpro("list", "--json").out))}
    assert (shown[job.job_id]["tokens_per_second"], shown[job.job_id]["seconds_left"]) == (50.0, 125.2)
    assert (shown[waiting.job_id]["tokens_per_second"], shown[waiting.job_id]["seconds_left"]) == (None, None)
    assert {line.split("\t")[-1] for line in virnucpro("list").out} == {"seconds_left", "125", "NA"}
    terminal(80)
    headings, *lines = virnucpro("list").out
    assert headings.split() == ["JOB", "STATE", "LEFT", "AGE", "VIRUS", "OWNER", "BUNDLE", "INPUTS"]
    assert {line.split()[2] for line in lines} == {"2:05", "-"}


def test_only_jobs_that_are_wanted_are_listed(settings: Settings, virnucpro: Virnucpro) -> None:
    made = {owner: make_job(replace(settings, owner=owner), SAMPLE) for owner in ("anna", "bob")}
    claim_name(settings.store, "run_1", made["anna"].job_id)
    cancel_job(made["bob"])

    def owners(*flags: str) -> set[str]:
        return {entry["owner"] for entry in json.loads("\n".join(virnucpro("list", "--json", *flags).out))}

    assert owners() == owners("--owner", "anna", "--owner", "bob") == owners("--since", "1h") == {"anna", "bob"}
    assert owners("--state", "open") == owners("--state", "queued") == owners("--name", "run_*") == {"anna"}
    assert owners("--state", "cancelled", "--owner", "bob") == {"bob"}
    assert owners("--state", "cancelled", "--owner", "anna") == set()
    ended = virnucpro("list", "--owner", "carl")
    assert len(ended.out) == 1 and ended.err == [f"none of 2 jobs in the store {settings.store} is such a one"]


def test_jobs_of_one_second_are_listed_in_the_order_of_their_submission(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"20260101t000000z-{letter * 16}" for letter in "zma"]
    for job_id in ids:
        monkeypatch.setattr(jobs, "new_job_id", lambda job_id=job_id: job_id)
        make_job(settings, SAMPLE)
        # Two jobs of one millisecond are ordered by id.
        time.sleep(0.002)
    assert list(rows(listed(settings))) == ids
